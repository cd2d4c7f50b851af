// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rewrite holds the operator's table of prefix rewrites for closed
// networks: where chart repositories, manifests and container images are found
// instead of where a user, a chart or a manifest says.
//
// The longest prefix wins, and prefixes end at the boundary of a path segment:
// https://a/charts matches https://a/charts/x, not https://a/charts-x. What
// lies under the `to` of a rule is never rewritten again, so that rewriting
// twice is rewriting once, and a rule that could therefore never match is
// refused. A URL with dot segments or encoded slashes in its path is not
// rewritten: on the server behind `to` it could name something outside it.
package rewrite
