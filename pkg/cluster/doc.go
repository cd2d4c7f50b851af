// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster holds the connections to the target clusters: one for each
// IntegrationTarget, shared by everything that talks to the target, so that a
// target sees one bounded stream of requests over one pool of connections.
package cluster
