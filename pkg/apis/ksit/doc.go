// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +groupName=ksit.io

// Package ksit holds the internal version of the ksit.io API: what the API
// server works with, whichever version a client speaks. The meaning of the
// fields is documented at the versioned types.
package ksit // import "ksit.io/ksit/pkg/apis/ksit"
