#!/usr/bin/env bash

# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Looks for the last release that is recorded in pkg/apiserver/testdata, and has it
# meet this version:
#
#   hack/former-release.sh build    builds its program, and prints the path
#   hack/former-release.sh verify   has it read what this version stores
#
# Where it cannot, because the commit is not in a shallow clone, or need not, because
# nothing that counts has changed since, it says so on standard error and ends well;
# build then prints nothing.

set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What is stored, and who reads and writes it.
counts=(pkg/apis pkg/registry pkg/apiserver pkg/etcd pkg/controller pkg/installer pkg/cmd go.mod)

version="$(cd pkg/apiserver/testdata && printf '%s\n' v*/ | tr -d / | sort --version-sort | tail -n 1)"
commit="$(sed -n 's/^Commit: \([0-9a-f]\{40\}\)$/\1/p' "pkg/apiserver/testdata/${version}/README.md")"

if [[ -z "${commit}" ]] || ! git cat-file -e "${commit}^{commit}" 2>/dev/null; then
  echo "the commit of ${version} is not in this clone: git fetch --unshallow" >&2
  exit 0
fi
if [[ -z "${KSIT_FORMER_ALWAYS:-}" ]] && git diff --quiet "${commit}" -- "${counts[@]}" ':!*_test.go' ':!*/testdata/*'; then
  echo "nothing that counts has changed since ${version}" >&2
  exit 0
fi

tree="$(mktemp -d)"
trap 'git worktree remove --force "${tree}/ksit" >/dev/null 2>&1 || true; rm -rf "${tree}"' EXIT
git worktree add --quiet --detach "${tree}/ksit" "${commit}"

case "${1:-}" in
build)
  program="${PWD}/bin/ksit-${version}-${commit:0:12}"
  if [[ ! -x "${program}" ]]; then
    (cd "${tree}/ksit" && go build -ldflags "-s -w -X ksit.io/ksit/pkg/version.gitVersion=${version}" -o "${program}" ./cmd/ksit)
  fi
  echo "${program}"
  ;;
verify)
  KSIT_RECORD_RELEASE="${tree}/data" go test -count=1 -run '^TestRecordedIsComplete$' ./pkg/apiserver
  (cd "${tree}/ksit" && KSIT_NEWER_DATA="${tree}/data" go test -count=1 -run '^TestDataOfANewerRelease$' ./pkg/apiserver)
  echo "${version} reads what this version stores"
  ;;
*)
  echo "usage: hack/former-release.sh build|verify" >&2
  exit 1
  ;;
esac
