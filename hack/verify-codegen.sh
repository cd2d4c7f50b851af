#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Fails when what is generated differs from what hack/update-codegen.sh makes of
# the types and the chart. Works in a copy, from which everything generated was removed: the
# tree is left alone, and a file that nothing generates any more is found too.
set -o errexit -o nounset -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

cp -R "$root/go.mod" "$root/go.sum" "$root/hack" "$copy/"
mkdir -p "$copy/pkg" "$copy/artifacts" "$copy/test/bed/tools"
cp -R "$root/pkg/apis" "$copy/pkg/"
cp -R "$root/artifacts/charts" "$copy/artifacts/"
cp -R "$root/test/bed/tools/helm" "$copy/test/bed/tools/"
find "$copy/pkg" -name 'zz_generated.*' -delete
find "$copy/pkg" -name 'generated.p*' -delete

"$copy/hack/update-codegen.sh"

status=0
for path in pkg/apis pkg/generated docs/api-reference.md artifacts/deploy hack/api-violations.list; do
  diff -Naur "$root/$path" "$copy/$path" || status=1
done
if [ $status -ne 0 ]; then
  echo "generated files are out of date: run make generate" >&2
fi
exit $status
