// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"ksit.io/ksit/test/bed"
)

// versions are the resource versions of all objects of the targets that do not
// change by themselves, by cluster, kind, namespace and name. Releases of Helm are
// among them: each revision is a Secret.
type versions map[string]string

// lively are what clusters change by themselves.
var lively = []string{"events", "leases", "nodes", "csinodes", "componentstatuses", "pods", "replicasets", "endpointslices", "endpoints",
	"controllerrevisions", "flowschemas", "prioritylevelconfigurations", "apiservices", "servicecidrs", "ipaddresses"}

// record takes down what is on the targets.
func (w *world) record(t *testing.T) versions {
	t.Helper()
	all := versions{}
	for _, target := range w.bed.Targets {
		must(t, recordOne(t.Context(), target, all))
	}
	return all
}

func recordOne(ctx context.Context, target *bed.Cluster, all versions) error {
	client, err := target.Client()
	if err != nil {
		return err
	}
	objects, err := metadata.NewForConfig(target.RESTConfig())
	if err != nil {
		return err
	}
	lists, err := client.Discovery().ServerPreferredResources()
	if err != nil {
		return fmt.Errorf("discovering the kinds of %s: %w", target.Name, err)
	}
	var resources []schema.GroupVersionResource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch") && !slices.Contains(lively, r.Name) {
				resources = append(resources, version.WithResource(r.Name))
			}
		}
	}
	found := make([]*metav1.PartialObjectMetadataList, len(resources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for n, resource := range resources {
		group.Go(func() error {
			list, err := objects.Resource(resource).List(ctx, metav1.ListOptions{})
			found[n] = list
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("listing what is on %s: %w", target.Name, err)
	}
	for n, list := range found {
		for _, object := range list.Items {
			if !strings.HasPrefix(object.Namespace, "kube-") {
				all[fmt.Sprintf("%s %s %s/%s", target.Name, resources[n].GroupResource(), object.Namespace, object.Name)] = string(object.UID) + " " + object.ResourceVersion
			}
		}
	}
	return nil
}

// unchanged fails the test where the targets are no longer as they were.
func (v versions) unchanged(t *testing.T, now versions) {
	t.Helper()
	var differences []string
	for key, was := range v {
		if is := now[key]; is != was {
			differences = append(differences, fmt.Sprintf("%s was %s and is %q", key, was, is))
		}
	}
	for key := range now {
		if _, there := v[key]; !there {
			differences = append(differences, key+" is new")
		}
	}
	if len(differences) > 0 {
		slices.Sort(differences)
		t.Errorf("%d of %d objects on the targets have changed:\n%s", len(differences), len(v), strings.Join(differences[:min(len(differences), 40)], "\n"))
	}
}
