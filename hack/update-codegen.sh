#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Generates everything that is generated: from the types in pkg/apis/ksit, the
# reference among the documents included, and from the chart. Needs only Go: the
# generators, the protocol buffer compiler among them, are the tools of hack/tools/go.mod.
#
# The order matters: the apply configurations have the merge keys of lists from
# the OpenAPI definitions, and the clientset has its Apply methods from them.
set -o errexit -o nounset -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

module=ksit.io/ksit
internal=$module/pkg/apis/ksit
external=$module/pkg/apis/ksit/v1alpha1
generated=$module/pkg/generated
header=hack/boilerplate.go.txt

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOWORK=off LC_ALL=C

echo "building the generators"
(cd hack/tools && go list tool | grep -E -- '(-gen|/go-to-protobuf|/goimports|/protoc)$' | xargs go build -o "$work/bin/")
export PATH="$work/bin:$PATH"

run() {
  local tool=$1
  shift
  echo "$tool"
  "$tool" --go-header-file "$header" "$@"
}

# The imports of a .proto are paths below one directory, as a GOPATH had it.
linkmodule() {
  mkdir -p "$work/src/$(dirname "$1")"
  ln -s "$2" "$work/src/$1"
}
linkmodule "$module" "$root"
linkmodule k8s.io/apimachinery "$(go list -f '{{.Module.Dir}}' k8s.io/apimachinery/pkg/runtime)"
linkmodule github.com/gogo/protobuf "$(cd hack/tools && go list -f '{{.Module.Dir}}' github.com/gogo/protobuf/gogoproto)"

# A dash before a package: it is imported, not generated.
run go-to-protobuf \
  --output-dir "$work/src" \
  --apimachinery-packages "$(printf -- '-k8s.io/apimachinery/pkg/%s,' util/intstr api/resource runtime/schema runtime)-k8s.io/apimachinery/pkg/apis/meta/v1" \
  --packages "$external"

run deepcopy-gen --output-file zz_generated.deepcopy.go "$internal" "$external"
run defaulter-gen --output-file zz_generated.defaults.go "$external"
run conversion-gen --output-file zz_generated.conversion.go "$external"

# Published beside the own types, and only read by the generator.
published_packages=(
  k8s.io/apimachinery/pkg/apis/meta/v1
  k8s.io/apimachinery/pkg/runtime
  k8s.io/apimachinery/pkg/version
  k8s.io/apimachinery/pkg/api/resource
  k8s.io/apimachinery/pkg/util/intstr
)
run openapi-gen \
  --output-dir pkg/generated/openapi --output-pkg "$generated/openapi" \
  --output-file zz_generated.openapi.go \
  --output-model-name-file zz_generated.model_name.go \
  --report-filename "$work/api-violations.list" \
  "${published_packages[@]/#/--readonly-pkg=}" \
  "${published_packages[@]}" "$external"
if ! diff hack/api-violations.list "$work/api-violations.list" >&2; then
  echo "hack/api-violations.list changes: a new line is a rule of API style that is broken" >&2
  cp "$work/api-violations.list" hack/api-violations.list
fi

echo "api-reference"
go run ./hack/api-reference >"$work/api-reference.md"
mkdir -p docs
cp "$work/api-reference.md" docs/api-reference.md

# What is left of a type that was removed would not compile.
rm -rf pkg/generated/{applyconfiguration,clientset,listers,informers}

# The generator of the apply configurations looks a type up by the name that its
# Go package would give it, and takes what it does not find for free-form JSON,
# without a word. So it is shown that name, and writes the published one in the
# end. The test of Apply in pkg/apis/ksit fails where this does not work.
published_name=io.ksit.v1alpha1.
package_name=io.ksit.ksit.pkg.apis.ksit.v1alpha1.
go run ./hack/models-schema | sed "s/$published_name/$package_name/g" >"$work/schema.json"
run applyconfiguration-gen \
  --output-dir pkg/generated/applyconfiguration --output-pkg "$generated/applyconfiguration" \
  --openapi-schema "$work/schema.json" \
  "$external"
find pkg/generated/applyconfiguration -name '*.go' -exec sed -i.bak "s/$package_name/$published_name/g" {} +
find pkg/generated/applyconfiguration -name '*.bak' -delete
run client-gen \
  --output-dir pkg/generated/clientset --output-pkg "$generated/clientset" \
  --clientset-name versioned --input-base "$module/pkg/apis" --input ksit/v1alpha1 \
  --apply-configuration-package "$generated/applyconfiguration" \
  --prefers-protobuf
run lister-gen \
  --output-dir pkg/generated/listers --output-pkg "$generated/listers" \
  "$external"
run informer-gen \
  --output-dir pkg/generated/informers --output-pkg "$generated/informers" \
  --versioned-clientset-package "$generated/clientset/versioned" \
  --listers-package "$generated/listers" \
  "$external"

echo "deploy"
hack/update-deploy.sh
