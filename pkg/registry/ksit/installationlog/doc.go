// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installationlog keeps what the controller says it does, one log for
// each Installation, and serves it at the subresource log.
//
// A log is an object of its own in etcd, at installationlogs/<namespace>/<name>:
// every API server answers with the same lines, and none of them is lost with a
// process. It is no resource that is served: nobody lists or watches it but
// through the subresource. There is no watch cache either, which would hold the
// logs of the whole fleet in memory.
package installationlog

// Subresource is the name under which a log is read. Proxies take what has this
// name for long-running.
const Subresource = "log"
