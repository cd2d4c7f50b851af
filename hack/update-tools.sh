#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Brings the modules of the generators, of the test bed and its programs, and of the
# end-to-end tests to the versions that KSIT itself has of the modules that it shares
# with them. What was compiled for KSIT then need not be compiled again for each of
# them, which halves the time of a build from nothing. Run it after an upgrade in
# go.mod; a test fails when it was forgotten.
set -o errexit -o nounset -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export GOWORK=off GOFLAGS=-mod=mod

# required lists what a go.mod requires, without comments.
required() {
  sed -nE 's/^(require )?[[:space:]]*([^[:space:]]+\.[^[:space:]]+) (v[^[:space:]]+).*$/\2 \3/p' "$1" | grep -v ' => ' | sort
}

for dir in "$root"/hack/{tools,image}/ "$root"/test/{bed,e2e,monitoring}/ "$root"/test/bed/tools/*/; do
  cd "$dir"
  # What Kubernetes replaces has no version of its own.
  mapfile -t upgrades < <(join <(required "$root/go.mod") <(required go.mod) | awk '$2 != $3 && $3 != "v0.0.0" { print $1 "@" $2 }')
  echo "${dir#"$root"/}: ${#upgrades[@]} of other versions"
  if [ ${#upgrades[@]} -gt 0 ]; then
    go get "${upgrades[@]}"
    go mod tidy
  fi
done
