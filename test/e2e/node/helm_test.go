// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

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

// install installs KSIT, and prints how long it took until the host serves its API, and
// the first Integration was accepted.
func (c *cluster) install(t *testing.T, args []string) {
	t.Helper()
	begin := time.Now()
	c.helm(t, args...)
	installed := since(begin)
	c.available(t)
	available := since(begin)
	integrations := c.ksit.KsitV1alpha1().Integrations(ns)
	wait(t, "no Integration is accepted", func(ctx context.Context) error {
		_, err := integrations.Create(ctx, &v1alpha1.Integration{
			ObjectMeta: metav1.ObjectMeta{Name: "first"},
			Spec:       v1alpha1.IntegrationSpec{Type: v1alpha1.IntegrationTypeGeneric, Enabled: ptr.To(false), TargetClusters: []string{"nowhere"}},
		}, metav1.CreateOptions{})
		return err
	})
	t.Logf("helm install returned after %s; the APIService was Available after %s, and the first Integration accepted after %s", installed, available, since(begin))
	if err := integrations.Delete(t.Context(), "first", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// apiService is what is looked at of KSIT's.
type apiService struct {
	Spec struct {
		CABundle []byte `json:"caBundle"`
	} `json:"spec"`
	Status struct {
		Conditions []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

func (c *cluster) apiService(ctx context.Context) (*apiService, error) {
	data, err := c.kube.Discovery().RESTClient().Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.ksit.io").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	service := &apiService{}
	return service, json.Unmarshal(data, service)
}

// available waits until the host serves KSIT's API.
func (c *cluster) available(t *testing.T) {
	t.Helper()
	wait(t, "the host does not serve KSIT's API", func(ctx context.Context) error {
		service, err := c.apiService(ctx)
		if err != nil {
			return err
		}
		for _, condition := range service.Status.Conditions {
			if condition.Type == "Available" && condition.Status == metav1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("it says %+v", service.Status.Conditions)
	})
}

func testByHelm(t *testing.T, c *cluster) {
	out := c.helm(t, "test", "ksit", "-n", namespace)
	if !strings.Contains(out, "Phase:          Succeeded") {
		t.Errorf("helm test says\n%s", out)
	}
}

// testUninstalledByHelm makes sure that nothing of KSIT is left in the host.
func testUninstalledByHelm(t *testing.T, c *cluster, before inventory) {
	c.helm(t, "uninstall", "ksit", "-n", namespace, "--wait")
	kubectl(t, c, "delete", "namespace", namespace, "--timeout=120s")
	asBefore(t, c, before)
}

// since is how long ago something began, as one prints it.
func since(begin time.Time) time.Duration { return time.Since(begin).Round(100 * time.Millisecond) }

// imageName is the name of the image in the registry.
func imageName(tag string) string { return fmt.Sprintf("%s/%s:%s", registry, repository, tag) }
