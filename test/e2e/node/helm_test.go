// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ksit.io/ksit/test/bed"
)

// cluster is a host with a real node, and what an operator has beside it.
type cluster struct {
	*bed.Bed
	world world
}

// helm runs helm as an administrator of the host and fails the test when it fails.
func (c *cluster) helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.tryHelm(t.Context(), args...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *cluster) tryHelm(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Tools.Helm, args...)
	home := filepath.Join(c.Dir, "helm")
	cmd.Env = append(c.world.environment(), "KUBECONFIG="+c.Host.Kubeconfig, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// guide is the line of the guide that installs KSIT, word for word.
const guide = `helm install ksit oci://registry.example.com/ksit/ksit \
  --namespace ksit-system \
  --create-namespace \
  --version 1.0.0 \
  --set image.registry=registry.example.com \
  --set image.repository=ksit/ksit-controller \
  --set image.tag=1.0.0`

// upgradeGuide is the one that upgrades it.
const upgradeGuide = `helm upgrade ksit oci://registry.example.com/ksit/ksit \
  --namespace ksit-system \
  --version 1.0.1`

// line is what a shell makes of a line of a guide, with further arguments.
func line(text string, more ...string) []string {
	return append(strings.Fields(strings.ReplaceAll(text, "\\\n", " "))[1:], more...)
}

// imageName is the name of the image in the registry.
func imageName(tag string) string { return fmt.Sprintf("%s/%s:%s", registry, repository, tag) }
