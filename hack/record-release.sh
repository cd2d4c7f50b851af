#!/usr/bin/env bash

# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Records what a release stores and serves, for all later ones to be tested with:
#
#   hack/record-release.sh v1.0.0
#
# It is run once, on the commit that is about to become the release, and what it
# wrote is committed. A release that has a tag is never recorded again.

set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version="${1:?usage: hack/record-release.sh vX.Y.Z}"
if [[ ! "${version}" =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  echo "${version} is no version of a release" >&2
  exit 1
fi
if git rev-parse --verify --quiet "refs/tags/${version}" >/dev/null; then
  echo "${version} is released: what it stored does not change any more" >&2
  exit 1
fi
if [[ -n "$(git status --porcelain -- cmd pkg go.mod go.sum)" ]]; then
  echo "commit what has changed first: the record names the commit that it is of" >&2
  exit 1
fi

fixtures="pkg/apis/ksit/testdata"
data="pkg/apiserver/testdata/${version}"

rm -rf "${fixtures:?}/${version}" "${data:?}"
cp -r "${fixtures}/HEAD" "${fixtures}/${version}"
KSIT_RECORD_RELEASE="${PWD}/${data}" go test -count=1 -run '^TestRecordedIsComplete$' ./pkg/apiserver

cat >"${data}/README.md" <<END
# What ${version} stored

Commit: $(git rev-parse HEAD)

\`etcd.json.gz\` has every key of the etcd of an API server of that commit, after the objects of \`testdata/record\` were
created through it, with their status, two lines of a log, a rollback and a reconcile that were asked for. \`served.yaml\`
is what that server then answered. \`hack/record-release.sh\` wrote both; they are not written again.

\`TestDataOfReleases\` starts every later server on them.
END
echo "recorded ${version} in ${fixtures}/${version} and ${data}"
