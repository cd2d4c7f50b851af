// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fetch downloads what tenants name by URL: indexes of chart
// repositories, chart archives, manifests. A tenant must not learn through it
// what only KSIT's own host may reach, nor have KSIT fill its memory or wait
// for ever, so a Client:
//
//   - connects to no loopback, link-local, unspecified, multicast or metadata
//     address. The address is checked when the connection is made, after names
//     are resolved, for every redirect anew. What the operator's rewrite table
//     names is exempt, and so is everything when the operator allows it;
//   - follows few redirects, and none from https to http;
//   - refuses URLs that hold credentials, and sends those of an Access to the
//     host that they are for only, never in the clear, and gives what it got for
//     them to nobody else;
//   - bounds size and time of every download.
//
// No error text holds the query of a URL or what a server answered.
package fetch
