// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/test/bed"
)

// inventory is all that a cluster holds, by resource, namespace and name, each with
// what it is but for what changes by itself: its status, version and who wrote what.
type inventory map[string]string

// passing are resources of which objects come and go by themselves.
var passing = []string{"events", "events.events.k8s.io", "componentstatuses"}

// takeInventory lists every resource that the cluster serves.
func takeInventory(ctx context.Context, c *bed.Cluster) (inventory, error) {
	config := c.RESTConfig()
	config.WarningHandler = rest.NoWarnings{} // everything is listed, what is deprecated too
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lists, err := disco.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("discovering what is served: %w", err)
	}
	all := inventory{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			id := group.WithResource(resource.Name)
			if !slices.Contains(resource.Verbs, "list") || slices.Contains(passing, id.GroupResource().String()) {
				continue
			}
			objects, err := client.Resource(id).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("listing %s: %w", id.GroupResource(), err)
			}
			for i := range objects.Items {
				all.add(id.GroupResource(), &objects.Items[i])
			}
		}
	}
	return all, nil
}

func (all inventory) add(resource schema.GroupResource, o *unstructured.Unstructured) {
	unstructured.RemoveNestedField(o.Object, "status")
	for _, field := range []string{"resourceVersion", "managedFields", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	switch resource.Resource {
	case "leases": // They are renewed.
		unstructured.RemoveNestedField(o.Object, "spec")
	case "nodes": // The kubelet says there what it has seen.
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	content, err := json.Marshal(o.Object)
	if err != nil {
		content = []byte(err.Error())
	}
	all[fmt.Sprintf("%s %s/%s", resource, o.GetNamespace(), o.GetName())] = string(content)
}

// differsFrom says what came, went and changed since an earlier inventory.
func (all inventory) differsFrom(before inventory) []string {
	var differences []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch was, there := before[key]; {
		case !there:
			differences = append(differences, "+ "+key)
		case was != all[key]:
			differences = append(differences, "~ "+key+"\n    was "+was+"\n    is  "+all[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := all[key]; !there {
			differences = append(differences, "- "+key)
		}
	}
	return differences
}

// settled takes an inventory of a host that has come to rest, and whose kubelet has
// said so: it makes its Lease some seconds after its node is ready.
func settled(t *testing.T, c *cluster) inventory {
	t.Helper()
	var last inventory
	wait(t, "the host does not come to rest", func(ctx context.Context) error {
		now, err := takeInventory(ctx, c.Host)
		if err != nil {
			return err
		}
		differences := now.differsFrom(last)
		last = now
		if lease := "leases.coordination.k8s.io kube-node-lease/" + c.Node.Name; now[lease] == "" {
			return fmt.Errorf("there is no %s", lease)
		}
		if len(differences) > 0 {
			time.Sleep(2 * time.Second)
			return fmt.Errorf("it changes: %q", differences)
		}
		return nil
	})
	return last
}

// asBefore waits until a host holds what it held before, and nothing else. What goes
// with its owner, and a namespace, take a moment.
func asBefore(t *testing.T, c *cluster, before inventory) {
	t.Helper()
	wait(t, "the host is not as it was before", func(ctx context.Context) error {
		now, err := takeInventory(ctx, c.Host)
		if err != nil {
			return err
		}
		if differences := now.differsFrom(before); len(differences) > 0 {
			return fmt.Errorf("it differs (+ came, - went, ~ changed):\n%s", strings.Join(differences, "\n"))
		}
		return nil
	})
}
