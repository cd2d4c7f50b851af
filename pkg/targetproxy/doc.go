// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package targetproxy passes requests on to the API servers of clusters, as
// the user who sends them. It holds the rules of the subresource proxy of
// IntegrationTargets: who may pass and as whom, which paths and headers go
// there, what of the answers comes back, and how much goes on at once.
//
// KSIT's own power on a cluster is never lent to anybody: what carries the
// requests is made by cluster.Connection.ActAs, which cannot send one that does
// not ask to impersonate the user.
package targetproxy
