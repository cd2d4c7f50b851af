#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Pushes the image and the chart of bin/release to a registry and signs both by the
# identity of whoever runs this. Needs skopeo, helm and cosign, which are logged in.
#
#   hack/push-release.sh REGISTRY NUMBER
#
# They become REGISTRY/ksit-controller:NUMBER and REGISTRY/ksit:NUMBER. Of the image,
# name and digest are written to the file that GITHUB_OUTPUT names, if it is set. With
# DRY_RUN set to anything it is only said what would be run.
set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

registry=$1 number=$2
image=$registry/ksit-controller chart=$registry/ksit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
  echo "+ $*"
  if [ -z "${DRY_RUN:-}" ]; then "$@"; fi
}

(cd bin/release && sha256sum --check --quiet checksums.txt)
run skopeo copy --all --digestfile "$work/image" "oci-archive:bin/release/ksit-image.tar" "docker://$image:$number"
run helm push "bin/release/ksit-$number.tgz" "oci://$registry"
if [ -n "${DRY_RUN:-}" ]; then exit 0; fi

digest=$(cat "$work/image")
# Helm has no flag for the digest of what it pushed.
skopeo inspect --raw "docker://$chart:$number" >"$work/chart"
run cosign sign --yes --recursive "$image@$digest"
run cosign sign --yes "$chart@$(skopeo manifest-digest "$work/chart")"
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  printf 'image=%s\ndigest=%s\n' "$image" "$digest" >>"$GITHUB_OUTPUT"
fi
