// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drift finds what of a release is no longer as it was applied.
//
// What was applied is applied again as a dry run, by server-side apply under a
// field manager of its own, and the answer is compared with the live object.
// The target itself so says what would change: defaults, canonical forms,
// allocated values and what its webhooks do are on both sides, and what others
// added is left as it is, list items by key included. The managed fields of the
// answer say which fields are compared.
//
// Where server-side apply cannot take an object, because of a field that its
// schema does not have for one, a dry run of a merge patch takes its place. An
// object that the target refuses, because a field of it may not change, is
// compared as it is.
//
// A Checker remembers of each object how it looked when it was compared. While
// its metadata stay the same it is not compared again, except every half hour:
// what does not change costs one request for each kind and namespace.
package drift
