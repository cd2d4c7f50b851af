// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/object"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// maxObjects bounds the objects whose names are kept, those of all targets
// together. Each takes some 150 bytes.
const maxObjects = 200_000

// Objects implements installer.Installer. It lists the metadata of the release's
// Secrets, and reads the release itself only when that has changed.
func (i *Installer) Objects(ctx context.Context, conn *cluster.Connection, releases []v1alpha1.ReleaseStatus) (object.ObjMetadataSet, error) {
	var all object.ObjMetadataSet
	for _, r := range releases {
		name := releaseName{Namespace: r.Namespace, Name: r.Name}
		ids, err := i.releaseObjects(ctx, conn, name)
		if err != nil {
			return nil, classify(ctx, err, fmt.Sprintf("looking at release %s in namespace %s", name.Name, name.Namespace), nil)
		}
		all = append(all, ids...)
	}
	return all, nil
}

func (i *Installer) releaseObjects(ctx context.Context, conn *cluster.Connection, name releaseName) (object.ObjMetadataSet, error) {
	revisions, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
	if err != nil {
		return nil, err
	}
	missing := installer.Errorf(installer.ReasonReleaseMissing, "it is not there any more: somebody removed it")
	standing, ok := standingRevision(revisions)
	if !ok {
		return nil, missing
	}
	key := objectsKey{target: conn.Name(), release: name}
	if ids, ok := i.objects.get(key, standing.secret, standing.resourceVersion); ok {
		return ids, nil
	}
	stored, err := readRelease(ctx, conn, name.Namespace, standing.secret)
	if apierrors.IsNotFound(err) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	ids, err := manifestObjects(stored.Manifest, name.Namespace, conn.RESTMapper())
	if err != nil {
		return nil, err
	}
	i.objects.put(key, standing.secret, standing.resourceVersion, ids)
	return ids, nil
}

// standingRevision is the one whose objects are on the target: the newest that
// is deployed, or where none is, the newest.
func standingRevision(revisions []revision) (revision, bool) {
	for n := len(revisions) - 1; n >= 0; n-- {
		if revisions[n].status == release.StatusDeployed {
			return revisions[n], true
		}
	}
	if len(revisions) == 0 || revisions[len(revisions)-1].status == release.StatusUninstalled {
		return revision{}, false
	}
	return revisions[len(revisions)-1], true
}

type objectsKey struct {
	target  types.NamespacedName
	release releaseName
}

// objectCache keeps the names of the objects of releases, the least recently
// used of which go first.
type objectCache struct {
	mu      sync.Mutex
	objects int
	// order has the most recently used first; its elements are *objectsEntry.
	order   *list.List
	entries map[objectsKey]*list.Element
}

type objectsEntry struct {
	key                     objectsKey
	secret, resourceVersion string
	ids                     object.ObjMetadataSet
}

func newObjectCache() *objectCache {
	return &objectCache{order: list.New(), entries: map[objectsKey]*list.Element{}}
}

// get returns what is kept of a release if its Secret is still the same. The
// caller must not change it.
func (c *objectCache) get(key objectsKey, secret, resourceVersion string) (object.ObjMetadataSet, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	e := element.Value.(*objectsEntry)
	if e.secret != secret || e.resourceVersion != resourceVersion {
		return nil, false
	}
	c.order.MoveToFront(element)
	return e.ids, true
}

func (c *objectCache) put(key objectsKey, secret, resourceVersion string, ids object.ObjMetadataSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[key]; ok {
		c.drop(old)
	}
	if len(ids) > maxObjects {
		return
	}
	for c.objects+len(ids) > maxObjects {
		c.drop(c.order.Back())
	}
	c.entries[key] = c.order.PushFront(&objectsEntry{key, secret, resourceVersion, ids})
	c.objects += len(ids)
}

func (c *objectCache) drop(element *list.Element) {
	e := c.order.Remove(element).(*objectsEntry)
	delete(c.entries, e.key)
	c.objects -= len(e.ids)
}
