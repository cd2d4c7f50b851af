// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"testing"

	"ksit.io/ksit/test/bed"
)

// TestRealNode goes through the life of KSIT in a cluster, as one pod and then highly
// available: installed by Helm, upgraded, rotated and broken while it is used, and
// uninstalled. The Integrations have pods that really run.
func TestRealNode(t *testing.T) {
	c := up(t, bed.Options{})
	before := settled(t, c)
	t.Run("server", func(t *testing.T) {
		t.Cleanup(func() { c.clear(t) })
		testServer(t, c, before)
	})
	t.Run("ha", func(t *testing.T) { testHA(t, c, before) })
}

// clear takes away what a test that failed has left, so that the next one can begin.
func (c *cluster) clear(t *testing.T) {
	if !t.Failed() {
		return
	}
	describe(t, c)
	ctx := context.WithoutCancel(t.Context())
	// Namespaces go only while KSIT answers.
	_, _ = tryKubectl(ctx, c, c.Host.Kubeconfig, "", "delete", "namespace", ns, app, "--ignore-not-found", "--timeout=60s")
	_, _ = c.tryHelm(ctx, "uninstall", "ksit", "-n", namespace, "--wait")
	_, _ = tryKubectl(ctx, c, c.Host.Kubeconfig, "", "delete", "namespace", namespace, "--ignore-not-found", "--timeout=60s")
}
