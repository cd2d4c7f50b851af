#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Builds an archive of the plug-in for each platform, and the krew manifest with
# the version and their digests.
#
#   hack/krew-archives.sh VERSION LDFLAGS OS/ARCH...

set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$1 ldflags=$2
shift 2
out=bin/krew
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
sed "s/v0\.0\.0/$version/g" artifacts/krew/ksit.yaml > "$out/ksit.yaml"

for platform in "$@"; do
  os=${platform%/*} arch=${platform#*/} program=kubectl-ksit
  if [[ $os == windows ]]; then program=kubectl-ksit.exe; fi
  archive=kubectl-ksit_${version}_${os}_${arch}.tar.gz
  rm -rf "$work"/*
  CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -ldflags "$ldflags" -o "$work/$program" ./cmd/kubectl-ksit
  cp LICENSE artifacts/krew/kubectl_complete-ksit "$work/"
  # The same content is the same archive.
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='2000-01-01 00:00:00Z' -C "$work" -cf - . | gzip -n > "$out/$archive"
  digest=$(sha256sum "$out/$archive" | cut -d' ' -f1)
  # The digest stands in the line below the address.
  sed -i "/$archive/{n;s/\"[0-9a-f]*\"/\"$digest\"/}" "$out/ksit.yaml"
  echo "$out/$archive"
done
