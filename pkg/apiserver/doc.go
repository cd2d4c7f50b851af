// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver is the aggregated API server of the group ksit.io: what it
// stores and how, what it publishes, when it is ready and how it stops. It knows
// nothing of flags, of the controllers or of where etcd runs.
package apiserver
