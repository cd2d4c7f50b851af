// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// +k8s:openapi-gen=true
// +k8s:openapi-model-package=io.ksit.v1alpha1
// +k8s:deepcopy-gen=package
// +k8s:protobuf-gen=package
// +k8s:conversion-gen=ksit.io/ksit/pkg/apis/ksit
// +k8s:defaulter-gen=TypeMeta
// +groupName=ksit.io

// Package v1alpha1 is the first external version of the ksit.io API. The
// comments on its fields are what `kubectl explain` prints.
package v1alpha1 // import "ksit.io/ksit/pkg/apis/ksit/v1alpha1"
