// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package etcd runs a single-member etcd inside this process, reachable only
// over a unix socket, and keeps it in good order: one owner per data directory,
// defragmentation when much of the file is free, and an early, visible report
// when the space quota is spent.
//
// Compaction is not done here: the API server compacts what it writes.
package etcd
