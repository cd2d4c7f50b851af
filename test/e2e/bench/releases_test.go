// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

const (
	releases = 100
	workers  = 10
)

// BenchmarkReleases measures a hundred releases of a chart of three objects, a
// ConfigMap, a Service and a Deployment, on one cluster: by KSIT with ten
// workers, by ten `helm install --wait` at a time, and, as the floor that no
// installer goes below, the bare server-side apply of the same objects.
func BenchmarkReleases(b *testing.B) {
	on := newBed(b, bed.Options{Targets: 1})
	startServer(b, on, fmt.Sprintf("--workers=%d", workers))
	client := ksitClient(b, on)
	registerTargets(b, on, client)
	target := on.Targets[0]
	onTarget, err := target.Client()
	if err != nil {
		b.Fatal(err)
	}
	helm := helm{bed: on, target: target, dir: b.TempDir()}
	const namespace = "releases"
	wanted := make([]*v1alpha1.Integration, releases)
	for n := range wanted {
		wanted[n] = helmIntegration(fmt.Sprintf("release-%03d", n), namespace, testCharts, "podinfo-lite", "1.0.0", target)
	}
	plain, err := render(b.Context(), helm, wanted[0])
	if err != nil {
		b.Fatal(err)
	}

	seconds := map[string]float64{}
	for _, way := range []struct {
		name    string
		install func(context.Context) error
		remove  func(context.Context) error
	}{
		{"helm", func(ctx context.Context) error {
			return parallel(ctx, workers, releases, func(ctx context.Context, n int) error { return helm.install(ctx, wanted[n]) })
		}, nil},
		{"ksit", func(ctx context.Context) error {
			_, err := untilRunning(ctx, client, wanted...)
			return err
		}, func(ctx context.Context) error { return deleteIntegrations(ctx, client, wanted...) }},
		{"apply", func(ctx context.Context) error {
			return applyAll(ctx, target, onTarget, namespace, wanted, plain)
		}, nil},
	} {
		if err := newNamespace(b.Context(), onTarget, namespace); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := way.install(b.Context()); err != nil {
			b.Fatalf("%s: %v", way.name, err)
		}
		seconds[way.name] = time.Since(begin).Seconds()
		if way.remove != nil {
			if err := way.remove(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if err := deleteNamespace(b.Context(), onTarget, namespace); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(seconds[way.name], way.name+"-s")
	}
	b.ReportMetric(seconds["ksit"]/seconds["helm"], "ksit-x-of-helm")
	b.ReportMetric(seconds["ksit"]/seconds["apply"], "ksit-x-of-apply")
	reportLoad(b)
}

// parallel calls do with the numbers from 0 to total, as many at a time as there
// are workers.
func parallel(ctx context.Context, workers, total int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for n := range total {
		group.Go(func() error { return do(ctx, n) })
	}
	return group.Wait()
}

// render returns the manifests of an Integration's release.
func render(ctx context.Context, h helm, integration *v1alpha1.Integration) (string, error) {
	config := integration.Spec.AutoInstall.HelmConfig
	out, err := h.run(ctx, "template", config.ReleaseName, config.Chart, "--repo", h.served(config.Repository),
		"--version", config.Version, "--namespace", integration.Spec.Config["namespace"])
	return string(out), err
}

var resources = map[string]schema.GroupVersionResource{
	"ConfigMap":  {Version: "v1", Resource: "configmaps"},
	"Service":    {Version: "v1", Resource: "services"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
}

// applyAll applies what each release holds, given that of the first, and returns
// when every Deployment is available.
func applyAll(ctx context.Context, target *bed.Cluster, client kubernetes.Interface, namespace string, wanted []*v1alpha1.Integration, first string) error {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	plain, err := dynamic.NewForConfig(target.RESTConfig())
	if err != nil {
		return err
	}
	changes, err := client.AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer changes.Stop()
	applied := make(chan error, 1)
	go func() {
		applied <- parallel(ctx, workers, len(wanted), func(ctx context.Context, n int) error {
			parsed, err := bed.ParseObjects([]byte(strings.ReplaceAll(first, wanted[0].Name, wanted[n].Name)))
			if err != nil {
				return err
			}
			for _, object := range parsed {
				if err := apply(ctx, plain, namespace, object); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	available := map[string]bool{}
	for len(available) < len(wanted) || applied != nil {
		select {
		case err := <-applied:
			if err != nil {
				return err
			}
			applied = nil
		case event := <-changes.ResultChan():
			deployment, ok := event.Object.(*appsv1.Deployment)
			if !ok {
				return fmt.Errorf("waiting for Deployments, of which %d are available: the watch says %s: %w", len(available), event.Type, ctx.Err())
			}
			if deployment.Status.AvailableReplicas == *deployment.Spec.Replicas {
				available[deployment.Name] = true
			}
		}
	}
	return nil
}

func apply(ctx context.Context, client dynamic.Interface, namespace string, object *unstructured.Unstructured) error {
	resource, ok := resources[object.GetKind()]
	if !ok {
		return fmt.Errorf("the chart has a %s", object.GetKind())
	}
	_, err := client.Resource(resource).Namespace(namespace).Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "bench", Force: true})
	return err
}
