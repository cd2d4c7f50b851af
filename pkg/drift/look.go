// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/object"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
)

const (
	// pageSize and maxPages bound a list. What is not in it is read by name.
	pageSize = 500
	maxPages = 8
)

// fingerprint changes whenever anything of an object may have changed that can
// be drift. The zero one is that of an object that is not there.
type fingerprint [16]byte

// fingerprintOf takes the generation where the kind counts it: a status changes
// the resource version all the time.
func fingerprintOf(m metav1.Object) fingerprint {
	h := sha256.New()
	version := m.GetResourceVersion()
	if generation := m.GetGeneration(); generation > 0 {
		version = fmt.Sprintf("generation %d", generation)
	}
	fmt.Fprintf(h, "%q %q %t %q", m.GetUID(), version, m.GetDeletionTimestamp() != nil, m.GetFinalizers())
	for _, owner := range m.GetOwnerReferences() {
		fmt.Fprintf(h, " %q", owner.UID)
	}
	for _, entries := range []map[string]string{m.GetLabels(), m.GetAnnotations()} {
		fmt.Fprint(h, ";")
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			fmt.Fprintf(h, "%q=%q,", k, entries[k])
		}
	}
	return fingerprint(h.Sum(nil)[:len(fingerprint{})])
}

// place is where objects are listed together.
type place struct {
	kind      schema.GroupKind
	namespace string
}

// changed returns the objects that do not look as they did when they were
// compared.
func (k *check) changed(ctx context.Context, records map[object.ObjMetadata]record) ([]object.ObjMetadata, error) {
	places := map[place][]object.ObjMetadata{}
	for id := range records {
		at := place{id.GroupKind, id.Namespace}
		places[at] = append(places[at], id)
	}
	var mu sync.Mutex
	var due []object.ObjMetadata
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for at, ids := range places {
		group.Go(func() error {
			seen, err := k.look(ctx, at, ids)
			if err != nil {
				return fmt.Errorf("listing the objects of kind %s: %w", at.kind, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				now, certain := seen[id.Name]
				if r := records[id]; !r.known || !certain || r.seen != now {
					due = append(due, id)
				}
			}
			return nil
		})
	}
	return due, group.Wait()
}

// look returns the fingerprints of objects of one kind and namespace by name.
// Those of which it cannot tell are left out.
func (k *check) look(ctx context.Context, at place, ids []object.ObjMetadata) (map[string]fingerprint, error) {
	seen := make(map[string]fingerprint, len(ids))
	client, err := k.metadata(at)
	if meta.IsNoMatchError(err) {
		for _, id := range ids {
			seen[id.Name] = fingerprint{}
		}
		return seen, nil
	}
	if err != nil {
		return nil, err
	}
	if len(ids) == 1 {
		m, err := client.Get(ctx, ids[0].Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			seen[ids[0].Name] = fingerprint{}
		case err != nil:
			return nil, err
		default:
			seen[ids[0].Name] = fingerprintOf(m)
		}
		return seen, nil
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id.Name] = true
	}
	options := metav1.ListOptions{Limit: pageSize}
	for range maxPages {
		page, err := client.List(ctx, options)
		switch {
		case apierrors.IsForbidden(err):
			// Who may not list may still read them one by one.
			return nil, nil
		case apierrors.IsNotFound(err):
			// The kind went with its CRD.
			page = &metav1.PartialObjectMetadataList{}
		case err != nil:
			return nil, err
		}
		for i := range page.Items {
			if m := &page.Items[i]; wanted[m.Name] {
				seen[m.Name] = fingerprintOf(m)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			for name := range wanted {
				if _, found := seen[name]; !found {
					seen[name] = fingerprint{}
				}
			}
			break
		}
	}
	return seen, nil
}

func (k *check) metadata(at place) (metadata.ResourceInterface, error) {
	mapping, err := k.conn.RESTMapper().RESTMapping(at.kind)
	if err != nil {
		return nil, err
	}
	client := k.conn.Metadata().Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return client.Namespace(at.namespace), nil
	}
	return client, nil
}
