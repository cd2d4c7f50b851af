#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Writes artifacts/deploy, for those who install without Helm, from the chart: a
# directory for each mode, with a file for each template. Needs only Go.
set -o errexit -o nounset -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOWORK=off LC_ALL=C HELM_CONFIG_HOME=$work/helm HELM_CACHE_HOME=$work/helm HELM_DATA_HOME=$work/helm

# Helm takes itself for one of an old cluster, unless it is told.
kubernetes=1.$(go list -m -f '{{.Version}}' k8s.io/api | cut -d. -f2).0
(cd test/bed/tools/helm && go build -o "$work/helm-program" helm.sh/helm/v3/cmd/helm)

# deploy MODE ARGUMENT... renders a mode.
deploy() {
  local mode=$1 out=artifacts/deploy/$1 template name
  shift
  "$work/helm-program" template ksit artifacts/charts/ksit --namespace ksit-system \
    --kube-version "$kubernetes" --skip-tests --output-dir "$work/$mode" "$@" >/dev/null
  rm -rf "$out"
  mkdir -p "$out"
  cat >"$out/00-namespace.yaml" <<MANIFEST
# Generated from artifacts/charts/ksit by make generate: change it there, or what you
# apply in a copy. See "Without Helm" in docs/install.md.
apiVersion: v1
kind: Namespace
metadata:
  name: ksit-system
  labels:
    app.kubernetes.io/name: ksit
    pod-security.kubernetes.io/enforce: restricted
MANIFEST
  for template in "$work/$mode"/ksit/templates/*.yaml; do
    name=$(basename "$template")
    # Nothing here belongs to a release.
    sed -e '/^# Source: /d' \
      -e '/^ *app\.kubernetes\.io\/managed-by: Helm$/d' \
      -e '/^ *app\.kubernetes\.io\/instance: ksit$/d' \
      -e '/^ *helm\.sh\/chart: /d' "$template" |
      awk 'NR == 1 && $0 == "---" { next } { print }' >"$out/$name"
  done
}

deploy server
# An etcd is not part of it: put the URLs of yours here, and a client's certificate
# into the Secret.
deploy ha --set replicas=3 --set 'etcd.servers={https://etcd.example.com:2379}' --set etcd.secretName=ksit-etcd-client
