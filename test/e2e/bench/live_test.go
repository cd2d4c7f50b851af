// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// liveRounds is how often each question is asked.
const liveRounds = 200

// BenchmarkLive measures how long KSIT takes to find out the health of a target,
// and of what is installed there, beside a client that asks the target itself for
// the same. They take turns. A question through KSIT goes by way of the host's
// aggregator, and KSIT reads the object and the kubeconfig first.
func BenchmarkLive(b *testing.B) {
	on := newBed(b, bed.Options{Targets: 1})
	startServer(b, on)
	ksit := ksitClient(b, on)
	registerTargets(b, on, ksit)
	target := on.Targets[0]
	integration := helmIntegration("asked", "asked", testCharts, "podinfo-lite", "1.0.0", target)
	if _, err := untilRunning(b.Context(), ksit, integration); err != nil {
		b.Fatal(err)
	}
	direct, err := newDirect(target)
	if err != nil {
		b.Fatal(err)
	}
	ask := map[string]func(context.Context) error{
		"target-ksit":         func(ctx context.Context) error { return targetHealth(ctx, ksit, target.Name) },
		"target-direct":       direct.target,
		"installation-ksit":   func(ctx context.Context) error { return installationHealth(ctx, ksit, "asked."+target.Name) },
		"installation-direct": direct.installation,
	}
	took := map[string][]time.Duration{}
	for round := range liveRounds + 1 {
		for _, name := range []string{"target-ksit", "target-direct", "installation-ksit", "installation-direct"} {
			begin := time.Now()
			if err := ask[name](b.Context()); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			// The first round is for the connections.
			if round > 0 {
				took[name] = append(took[name], time.Since(begin))
			}
		}
	}
	for _, what := range []string{"target", "installation"} {
		viaKSIT, itself := middle(took[what+"-ksit"]), middle(took[what+"-direct"])
		b.ReportMetric(float64(viaKSIT.Microseconds())/1000, what+"-ksit-ms")
		b.ReportMetric(float64(itself.Microseconds())/1000, what+"-direct-ms")
		b.ReportMetric(float64(viaKSIT)/float64(itself), what+"-x-of-direct")
	}
	reportLoad(b)
}

func middle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func targetHealth(ctx context.Context, ksit versioned.Interface, name string) error {
	health, err := ksit.KsitV1alpha1().IntegrationTargets(system).GetHealth(ctx, name, metav1.GetOptions{})
	if err == nil && !health.Ready {
		err = fmt.Errorf("the target is not ready: %v", health.Conditions)
	}
	return err
}

func installationHealth(ctx context.Context, ksit versioned.Interface, name string) error {
	health, err := ksit.KsitV1alpha1().Installations(system).GetHealth(ctx, name, metav1.GetOptions{})
	if err == nil && health.State != "Passed" {
		err = fmt.Errorf("the Installation is %s: %s", health.State, health.Message)
	}
	return err
}

// direct asks a target without KSIT.
type direct struct {
	client   kubernetes.Interface
	metadata metadata.Interface
}

func newDirect(target *bed.Cluster) (*direct, error) {
	config := target.RESTConfig()
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	meta, err := metadata.NewForConfig(config)
	return &direct{client, meta}, err
}

// target asks for the version, who one is, and the nodes.
func (d *direct) target(ctx context.Context) error {
	if err := d.client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return err
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
	}}
	if _, err := d.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := d.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 100})
	return err
}

// installation asks for the revisions of the release, and for its objects.
func (d *direct) installation(ctx context.Context) error {
	const namespace = "asked"
	for _, resource := range []string{"secrets", "configmaps", "services"} {
		if _, err := d.metadata.Resource(corev1.SchemeGroupVersion.WithResource(resource)).Namespace(namespace).List(ctx, metav1.ListOptions{}); err != nil {
			return err
		}
	}
	_, err := d.client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	return err
}
