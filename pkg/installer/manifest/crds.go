// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/installer"
)

// crdTimeout bounds the wait for CRDs, which a healthy target has done within a
// second or two.
const crdTimeout = time.Minute

// waitForCRDs waits until the CRDs of the manifests are established and their
// kinds are served.
func (r *release) waitForCRDs(ctx context.Context) (err error) {
	ctx, done := installer.Step(ctx, "manifest wait for CRDs")
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, crdTimeout)
	defer cancel()
	var applied []*unstructured.Unstructured
	for _, it := range r.items {
		if it.ref.GroupKind != crdKind || it.left {
			continue
		}
		if err := r.waitEstablished(ctx, it.ref.Name, it.obj.GroupVersionKind().Version); err != nil {
			return err
		}
		applied = append(applied, it.obj)
	}
	if len(applied) == 0 {
		return nil
	}
	// What is known of the kinds is from before their CRDs were applied.
	r.conn.RESTMapper().Reset()
	for _, crd := range applied {
		gk := definedKind(crd)
		if err := r.waitServed(ctx, gk, r.kinds.declared[gk].versions); err != nil {
			return err
		}
	}
	return nil
}

// leaveCRDs has the CRDs that are there left as they are, where that is wanted.
func (r *release) leaveCRDs(seen sight) {
	for _, it := range r.items {
		m := seen[it.ref]
		it.left = r.keepCRDs && it.ref.GroupKind == crdKind && m != nil && m.DeletionTimestamp == nil
	}
}

// keepStoredVersions fails when a CRD would lose a version that is in use.
func (r *release) keepStoredVersions(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, it := range r.items {
		if it.ref.GroupKind != crdKind || it.left {
			continue
		}
		var versions []string
		for _, v := range definedVersions(it.obj) {
			versions = append(versions, v.name)
		}
		group.Go(func() error { return installer.KeepsStoredVersions(ctx, r.conn, it.ref.Name, versions) })
	}
	return group.Wait()
}

func (r *release) waitEstablished(ctx context.Context, name, version string) error {
	crds := r.conn.Dynamic().Resource(schema.GroupVersionResource{Group: crdKind.Group, Version: version, Resource: "customresourcedefinitions"})
	var why string
	for {
		crd, err := crds.Get(ctx, name, metav1.GetOptions{})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("waiting for CRD %s: %w", name, err)
		}
		if err == nil {
			var established bool
			if established, why = crdState(crd); established {
				return nil
			}
		}
		if !pause(ctx, 100*time.Millisecond) {
			return installer.Errorf(installer.ReasonCRDNotEstablished, "CRD %s is not established: %s", name, why)
		}
	}
}

// crdState tells whether a CRD is established, and if not, what its conditions
// say.
func crdState(crd *unstructured.Unstructured) (established bool, why string) {
	why = "the target has not looked at it yet"
	conditions, _, _ := unstructured.NestedFieldNoCopy(crd.Object, "status", "conditions")
	list, _ := conditions.([]any)
	for _, entry := range list {
		condition, _ := entry.(map[string]any)
		status, _ := condition["status"].(string)
		message, _ := condition["message"].(string)
		switch condition["type"] {
		case "Established":
			if status == "True" {
				established = true
			}
		case "NamesAccepted":
			if status == "False" {
				return false, "its names are not accepted: " + message
			}
		}
	}
	return established, why
}

// waitServed waits until discovery has a kind in these versions and in no
// others: one that is no longer served would be asked for in vain.
func (r *release) waitServed(ctx context.Context, gk schema.GroupKind, versions map[string]bool) error {
	for {
		mappings, err := r.conn.RESTMapper().RESTMappings(gk)
		if err != nil && !meta.IsNoMatchError(err) && ctx.Err() == nil {
			return fmt.Errorf("asking the target for its kinds: %w", err)
		}
		served := map[string]bool{}
		for _, mapping := range mappings {
			served[mapping.GroupVersionKind.Version] = true
		}
		if maps.Equal(served, versions) {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return installer.Errorf(installer.ReasonCRDNotEstablished, "the CRD of %s is established, yet the target does not serve the versions that it says", gk)
		}
		r.conn.RESTMapper().Reset()
	}
}

// pause returns false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
