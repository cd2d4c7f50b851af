// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package health finds out whether what is installed on a target works: by the
// state of each object (the rules of kstatus, and a few that it lacks), and by
// what is known of the types that KSIT installs.
//
// It asks the Kubernetes API only. Whether a component answers its users, over
// HTTP, is not asked: its own readiness probes do, and what they find is in the
// state of its pods.
package health
