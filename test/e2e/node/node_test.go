// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"ksit.io/ksit/test/bed"
)

// TestRealNode goes through the life of KSIT in a cluster, as one pod and then highly
// available: installed by Helm, upgraded, rotated and broken while it is used, and
// uninstalled. The Integrations have pods that really run.
func TestRealNode(t *testing.T) {
	c := up(t, bed.Options{})
	before := settled(t, c)
	inOrder(t, c, []step{
		{"server", func(t *testing.T, c *cluster) { testServer(t, c, before) }},
		{"ha", func(t *testing.T, c *cluster) { testHA(t, c, before) }},
	})
}
