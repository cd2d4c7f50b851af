#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Runs the fuzz targets below a directory, one after the other, each for a time:
#   hack/fuzz.sh 30s pkg/fetch
# What one finds is written to testdata/fuzz beside it: commit it with the fix,
# and go test runs it from then on.

set -o errexit -o nounset -o pipefail

fuzztime=${1:-30s}
below=${2:-pkg}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=()
while IFS=: read -r file target; do
  dir=./$(dirname "$file")
  echo "== $target in $dir"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$dir" || failed+=("$target in $dir")
done < <(grep -rhoH --include='*_test.go' -E '^func Fuzz[A-Za-z0-9_]*' "$below" | sed 's/func //' | sort)

if ((${#failed[@]})); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
