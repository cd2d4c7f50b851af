// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package helm installs charts as plain Helm releases. It is the only package
// that uses the Helm SDK.
//
// What it does beyond `helm upgrade --install --wait`:
//
//   - It looks before it writes. What shall be done follows from what the
//     target has (see decide), never from KSIT's own memory alone: a release
//     that is as wanted costs two reads and no write, one left pending by a
//     process that died is taken up, and somebody else's is not touched.
//   - A chart is rendered, and found to fit into a release Secret, before
//     anything is applied.
//   - CRDs, whether from crds/ or from templates, are applied first, and are
//     Established and served before Helm sees the rest. Helm is never given a
//     CRD of a chart to handle, so nothing here can delete one.
//   - Every request and every wait ends with the context of the operation.
//     Only the record of how a release ended gets a few seconds more.
//   - Errors carry a reason, and no value of the chart (see redactor).
//
// A release made here is a plain one: helm list, helm rollback and the rest
// work on it. Whose it is stands in labels of its Secrets (see ownerLabels).
//
// Values follow Helm, with one difference: each entry of `values` is one
// assignment, so a comma never begins another. See setValue.
//
// Templates run in a process of their own, within bounds: see package render.
// What their function lookup finds is for the operator to say: see LookupPolicy.
// They cannot resolve host names.
//
// Helm's client-side validation against OpenAPI is off: it would hold tens of
// megabytes of schema for each target, and since Kubernetes 1.25 it leaves
// the work to the server, which does it in any case.
package helm
