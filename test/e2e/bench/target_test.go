// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

// testCharts is the repository of the bed's test charts, as the world would
// know it; the bed's rewrites lead KSIT to where it is.
const testCharts = "https://charts.example.com/test"

// helm runs the program Helm against a target, with its directories in dir.
type helm struct {
	bed    *bed.Bed
	target *bed.Cluster
	dir    string
}

func (h helm) run(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.bed.Tools.Helm, args...)
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+h.target.Kubeconfig,
		"HELM_CACHE_HOME="+filepath.Join(h.dir, "cache"),
		"HELM_CONFIG_HOME="+filepath.Join(h.dir, "config"),
		"HELM_DATA_HOME="+filepath.Join(h.dir, "data"),
	)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}

// install is `helm install --wait` of what an Integration names.
func (h helm) install(ctx context.Context, integration *v1alpha1.Integration) error {
	config := integration.Spec.AutoInstall.HelmConfig
	_, err := h.run(ctx, "install", config.ReleaseName, config.Chart, "--repo", h.served(config.Repository),
		"--version", config.Version, "--namespace", integration.Spec.Config["namespace"], "--create-namespace", "--wait", "--timeout", "10m")
	return err
}

func (h helm) uninstall(ctx context.Context, integration *v1alpha1.Integration) error {
	_, err := h.run(ctx, "uninstall", integration.Spec.AutoInstall.HelmConfig.ReleaseName,
		"--namespace", integration.Spec.Config["namespace"], "--wait", "--cascade", "foreground")
	return err
}

// served is where the bed serves a chart repository of the world.
func (h helm) served(repository string) string {
	for _, rewrite := range h.bed.Charts.Rewrites() {
		if repository == rewrite.From {
			return rewrite.To
		}
	}
	return repository
}

// helmIntegration installs one chart as one release on one target.
func helmIntegration(name, namespace, repository, chart, version string, target *bed.Cluster) *v1alpha1.Integration {
	integration := &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: system},
		Spec: v1alpha1.IntegrationSpec{
			Type:           v1alpha1.IntegrationTypeGeneric,
			TargetClusters: []string{target.Name},
			AutoInstall: &v1alpha1.AutoInstall{
				Enabled:    true,
				HelmConfig: &v1alpha1.HelmConfig{Repository: repository, Chart: chart, Version: version, ReleaseName: name},
			},
			Config: map[string]string{"namespace": namespace},
		},
	}
	if chart == "argo-cd" {
		integration.Spec.Type = v1alpha1.IntegrationTypeArgoCD
	}
	return integration
}

// untilRunning creates Integrations, by as many clients as the work has workers,
// and returns how long it took from the first request until the last of them was
// seen, by a watch, to be Running.
func untilRunning(ctx context.Context, client versioned.Interface, integrations ...*v1alpha1.Integration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	api := client.KsitV1alpha1().Integrations(system)
	list, err := api.List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	changes, err := api.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return 0, err
	}
	defer changes.Stop()

	begin := time.Now()
	created := make(chan error, 1)
	go func() {
		created <- parallel(ctx, workers, len(integrations), func(ctx context.Context, n int) error {
			_, err := api.Create(ctx, integrations[n], metav1.CreateOptions{})
			return err
		})
	}()
	phases := map[string]v1alpha1.Phase{}
	for running := 0; running < len(integrations); {
		select {
		case err := <-created:
			if err != nil {
				return 0, fmt.Errorf("creating Integrations: %w", err)
			}
			created = nil
		case event := <-changes.ResultChan():
			integration, ok := event.Object.(*v1alpha1.Integration)
			if !ok || event.Type == watch.Deleted {
				return 0, fmt.Errorf("waiting for Integrations, of which %d are Running: the watch says %s: %w", running, event.Type, ctx.Err())
			}
			phase := integration.Status.Phase
			if phase == v1alpha1.PhaseFailed {
				return 0, fmt.Errorf("Integration %s: %s", integration.Name, integration.Status.Message)
			}
			if was := phases[integration.Name]; phase == v1alpha1.PhaseRunning && was != phase {
				running++
			} else if was == v1alpha1.PhaseRunning && phase != was {
				running--
			}
			phases[integration.Name] = phase
		}
	}
	return time.Since(begin), nil
}

// deleteIntegrations waits until they are gone, and with them what they installed.
func deleteIntegrations(ctx context.Context, client versioned.Interface, integrations ...*v1alpha1.Integration) error {
	api := client.KsitV1alpha1().Integrations(system)
	return parallel(ctx, workers, len(integrations), func(ctx context.Context, n int) error {
		name := integrations[n].Name
		if err := api.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return err
		}
		return poll.Until(ctx, eventually, func(ctx context.Context) error {
			_, err := api.Get(ctx, name, metav1.GetOptions{})
			return isGone("Integration "+name, err)
		})
	})
}

// deleteNamespace waits until a namespace, if it is there, is gone.
func deleteNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	api := client.CoreV1().Namespaces()
	if err := api.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return poll.Until(ctx, eventually, func(ctx context.Context) error {
		_, err := api.Get(ctx, name, metav1.GetOptions{})
		return isGone("namespace "+name, err)
	})
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// deleteCRDs waits until a target has no CRDs left.
func deleteCRDs(ctx context.Context, target *bed.Cluster) error {
	client, err := dynamic.NewForConfig(target.RESTConfig())
	if err != nil {
		return err
	}
	if err := client.Resource(crds).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	return poll.Until(ctx, eventually, func(ctx context.Context) error {
		list, err := client.Resource(crds).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("CRD %s is still there", list.Items[0].GetName())
		}
		return err
	})
}

func isGone(what string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s is still there", what)
}

// registerTargets makes all targets of a bed known to KSIT and waits until they
// are ready.
func registerTargets(b *testing.B, on *bed.Bed, client versioned.Interface) {
	b.Helper()
	for _, target := range on.Targets {
		if err := on.RegisterTarget(b.Context(), system, target); err != nil {
			b.Fatal(err)
		}
		if err := poll.Until(b.Context(), time.Minute, func(ctx context.Context) error {
			known, err := client.KsitV1alpha1().IntegrationTargets(system).Get(ctx, target.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, condition := range known.Status.Conditions {
				if condition.Type == "Ready" && condition.Status == metav1.ConditionTrue {
					return nil
				}
			}
			return fmt.Errorf("target %s is not ready", target.Name)
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func newNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}
