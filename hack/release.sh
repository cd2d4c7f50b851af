#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Builds what a release consists of, in bin/release, and pushes nothing:
#
#   ksit-image.tar                the image for every platform, an OCI archive
#   ksit-image-OS-ARCH.spdx.json  what is in it
#   ksit-X.Y.Z.tgz                the chart
#   kubectl-ksit_*.tar.gz         the plug-in of kubectl, by platform
#   ksit.yaml                     its manifest for krew
#   notes.md                      the section of CHANGELOG.md
#   checksums.txt                 the SHA-256 of all of these
#
#   hack/release.sh VERSION IMAGE PLATFORMS [URL]
#
# VERSION is vX.Y.Z, IMAGE the name of the image without a tag, and URL where the
# repository is on the web, which krew downloads the plug-in from.
set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$1 image=$2 platforms=$3 url=${4:-}
number=${version#v}
if [[ ! $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
  echo "the version is $version, and not like v1.2.3" >&2
  exit 1
fi
out=bin/release
rm -rf "$out" bin/krew
mkdir -p "$out"

# notes prints the section of a version, without its heading.
notes() {
  awk -v heading="## $1" '/^## / { within = ($0 == heading || index($0, heading " ") == 1); next } within' CHANGELOG.md
}
notes "$number" >"$out/notes.md"
if [ ! -s "$out/notes.md" ]; then
  # A rehearsal may be of what has no section yet.
  if [[ $number != 0.0.0-* ]]; then
    echo "CHANGELOG.md has no section $number" >&2
    exit 1
  fi
  head -n 20 CHANGELOG.md >"$out/notes.md"
fi
if [ -n "$url" ]; then
  # What is a link in the repository is none beside it.
  sed -i "s#](docs/#]($url/blob/$version/docs/#g" "$out/notes.md"
fi

make image VERSION="$version" IMAGE="$image" PLATFORMS="$platforms"
cp bin/ksit-image.tar "$out/"
for platform in ${platforms//,/ }; do
  cp "bin/ksit-image-${platform/\//-}.spdx.json" "$out/"
done

make kubectl-ksit-archives VERSION="$version"
cp bin/krew/* "$out/"
if [ -n "$url" ]; then
  sed -i "s#https://example\.com/ksit#$url#g" "$out/ksit.yaml"
fi

helm=$(command -v helm || { make --silent bed >&2 && echo "$(bin/bed build)/helm"; })
chart=$(mktemp -d)
trap 'rm -rf "$chart"' EXIT
cp -r artifacts/charts/ksit "$chart/"
if [ -n "$url" ]; then
  # Where alerts find their runbooks.
  sed -i "s#https://example\.com/ksit/docs/#$url/blob/$version/docs/#" "$chart/ksit/values.yaml"
fi
"$helm" lint --strict "$chart/ksit"
"$helm" package "$chart/ksit" --version "$number" --app-version "$number" --destination "$out"

(cd "$out" && sha256sum -- * | grep -v ' checksums.txt$' >../checksums.txt && mv ../checksums.txt .)
ls -l "$out"
