// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

const ownershipPage = 500

// objectID names an object on a target.
type objectID struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

func idOf(info *resource.Info) objectID {
	return objectID{info.Mapping.Resource, info.Namespace, info.Name}
}

// ours returns those of the resources that are on the target with the marks that
// Helm puts on the objects of the release. What lost them, or has those of
// another release, was made anew by somebody else, and is neither taken over nor
// deleted. Helm itself deletes whatever has the name.
func ours(ctx context.Context, conn *cluster.Connection, rel releaseName, resources kube.ResourceList) (kube.ResourceList, error) {
	found := map[objectID]bool{}
	listed := map[objectID]bool{}
	for _, info := range resources {
		all := objectID{resource: info.Mapping.Resource, namespace: info.Namespace}
		if listed[all] {
			continue
		}
		listed[all] = true
		err := listMarked(ctx, conn, rel, all, found)
		switch {
		case apierrors.IsForbidden(err):
			// Who may not list them may still read them by name.
			err = getMarked(ctx, conn, rel, resources, all, found)
		case apierrors.IsNotFound(err):
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("looking at the %s of the release: %w", info.Mapping.Resource.Resource, err)
		}
	}
	return resources.Filter(func(info *resource.Info) bool { return found[idOf(info)] }), nil
}

func listMarked(ctx context.Context, conn *cluster.Connection, rel releaseName, in objectID, found map[objectID]bool) error {
	options := metav1.ListOptions{LabelSelector: labelManagedBy + "=Helm", Limit: ownershipPage}
	for {
		list, err := conn.Metadata().Resource(in.resource).Namespace(in.namespace).List(ctx, options)
		if err != nil {
			return err
		}
		for n := range list.Items {
			if item := &list.Items[n]; marked(item, rel) {
				found[objectID{in.resource, in.namespace, item.Name}] = true
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return nil
		}
	}
}

func getMarked(ctx context.Context, conn *cluster.Connection, rel releaseName, resources kube.ResourceList, in objectID, found map[objectID]bool) error {
	for _, info := range resources {
		id := idOf(info)
		if id.resource != in.resource || id.namespace != in.namespace {
			continue
		}
		item, err := conn.Metadata().Resource(id.resource).Namespace(id.namespace).Get(ctx, id.name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		found[id] = err == nil && marked(item, rel)
	}
	return nil
}

func marked(item *metav1.PartialObjectMetadata, rel releaseName) bool {
	return item.Labels[labelManagedBy] == "Helm" &&
		item.Annotations[annotationReleaseName] == rel.Name && item.Annotations[annotationReleaseNamespace] == rel.Namespace
}

// refuseForeign fails when one of the resources is on the target and not the
// release's.
func refuseForeign(ctx context.Context, conn *cluster.Connection, rel releaseName, resources kube.ResourceList) error {
	for _, info := range resources {
		item, err := conn.Metadata().Resource(info.Mapping.Resource).Namespace(info.Namespace).Get(ctx, info.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("reading %s: %w", describe(info), err)
		case !marked(item, rel):
			return installer.Terminalf(installer.ReasonReleaseConflict,
				"%s is there again, and is not the release's: remove it, or annotate it for the release as Helm asks", describe(info))
		}
	}
	return nil
}

// between returns what Helm is told that the release consisted of, when it
// brings it from original to target: what is in there and not in target, it
// deletes. That is without what is not the release's any more, and with what
// revisions that failed left behind.
func (c *kubeClient) between(original, target kube.ResourceList) (kube.ResourceList, error) {
	unwanted := append(slices.Clone(original), c.leftovers.Difference(original)...).Difference(target)
	if len(unwanted) > 0 {
		marked, err := ours(c.ctx, c.conn, c.release, unwanted)
		if err != nil {
			return nil, err
		}
		unwanted = marked
	}
	all := append(original.Intersect(target), unwanted...)
	if !c.goingBack {
		return all, nil
	}
	// What the failed revision dropped may be there still. Helm, going back,
	// takes it from anybody, and sets back what the target filled in.
	present, err := ours(c.ctx, c.conn, c.release, target)
	if err != nil {
		return nil, err
	}
	if err := refuseForeign(c.ctx, c.conn, c.release, target.Difference(present)); err != nil {
		return nil, err
	}
	return append(all, target.Difference(all)...), nil
}

// bury takes note of what revisions that failed may have left behind.
func (c *kubeClient) bury(manifests []string) error {
	for _, manifest := range manifests {
		resources, err := c.buildServed(manifest)
		if err != nil {
			return err
		}
		c.leftovers = append(c.leftovers, resources.Difference(c.leftovers)...)
	}
	return nil
}

// failedManifests reads what the revisions after the last good one consist of.
func failedManifests(ctx context.Context, conn *cluster.Connection, namespace string, revisions []revision) ([]string, error) {
	good, found := lastGood(revisions)
	if !found {
		return nil, nil
	}
	var manifests []string
	for _, r := range revisions {
		if r.number <= good.number {
			continue
		}
		stored, err := readRelease(ctx, conn, namespace, r.secret)
		if apierrors.IsNotFound(err) || isUnreadable(err) {
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading revision %d", r.number), err)
		}
		manifests = append(manifests, stored.Manifest)
	}
	return manifests, nil
}
