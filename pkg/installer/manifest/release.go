// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// labelAdopted is "true" on an object that was there before KSIT.
const labelAdopted = "ksit.io/adopted"

// fieldManager owns the fields that KSIT applies.
const fieldManager = "ksit"

// parallel bounds the requests of one release that are under way at once. The
// connection bounds those of all.
const parallel = 8

// item is an object to apply.
type item struct {
	ref object.ObjMetadata
	obj *unstructured.Unstructured
	// adopted is true for what was there before KSIT.
	adopted bool
	// shared is true for a namespace that has an owner already: it keeps it,
	// and the fields that were applied for it.
	shared bool
	// left is true for a CRD that a rollback leaves as it is.
	left bool
}

// release is a set of manifests on a target, for the time of one operation.
type release struct {
	conn            *cluster.Connection
	owner           installer.Owner
	namespace, name string
	kinds           *kinds
	// refuseFound has an apply fail on objects that are there already and belong
	// to nobody.
	refuseFound bool
	// keepCRDs has an apply leave the CRDs that are there as they are.
	keepCRDs bool

	// progress, if set, is told line by line what is done.
	progress func(line string)

	// record becomes the inventory; items are what it names, in their order.
	record inventory
	items  []*item

	// stored is the inventory as it is on the target, in configMap. Both are
	// nil without one, and known is true once that was found out.
	known     bool
	stored    *inventory
	configMap *corev1.ConfigMap
	// snapshotKept is true once what is applied was stored.
	snapshotKept bool
}

// requested is the one release of a request.
func requested(conn *cluster.Connection, req installer.Request) *release {
	r := newRelease(conn, req.Owner, req.Namespace, req.Owner.Integration)
	r.progress = req.Progress
	r.refuseFound = req.AutoInstall != nil && req.AutoInstall.AdoptionPolicy == v1alpha1.AdoptionPolicyRefuse
	return r
}

func newRelease(conn *cluster.Connection, owner installer.Owner, namespace, name string) *release {
	return &release{conn: conn, owner: owner, namespace: namespace, name: name, kinds: newKinds(conn.RESTMapper())}
}

// say tells what is done.
func (r *release) say(format string, args ...any) {
	if r.progress != nil {
		r.progress(fmt.Sprintf(format, args...))
	}
}

// manager owns the fields that are applied. For what is shared it is one for
// each Integration: under one name, the last would drop what the others set.
func (r *release) manager(shared bool) string {
	if !shared {
		return fieldManager
	}
	sum := sha256.Sum256([]byte(r.owner.String()))
	return fieldManager + "-" + hex.EncodeToString(sum[:6])
}

// labels say whose an object is.
func (r *release) labels() map[string]string {
	return map[string]string{
		v1alpha1.LabelIntegration: r.owner.Integration,
		v1alpha1.LabelNamespace:   r.owner.Namespace,
	}
}

// mark puts the labels on an object that say whose it is, and whether it was
// there before KSIT: that must outlast the inventory.
func (r *release) mark(obj *unstructured.Unstructured, adopted bool) {
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, r.labels())
	if adopted {
		labels[labelAdopted] = "true"
	}
	obj.SetLabels(labels)
}

// prepare brings objects to the form in which they are applied: each in its
// namespace, in order, none twice. It fails when the target does not know a
// kind.
func (r *release) prepare(objects []*unstructured.Unstructured) error {
	r.kinds.declare(objects)
	seen := make(map[object.ObjMetadata]*item, len(objects))
	for _, obj := range objects {
		namespaced, err := r.kinds.namespaced(obj.GroupVersionKind())
		if err != nil {
			return fmt.Errorf("%s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
		switch {
		case !namespaced:
			unstructured.RemoveNestedField(obj.Object, "metadata", "namespace")
		case obj.GetNamespace() == "":
			obj.SetNamespace(r.namespace)
		}
		it := &item{ref: object.UnstructuredToObjMetadata(obj), obj: obj}
		if earlier, found := seen[it.ref]; found {
			if same, err := sameContent(earlier.obj, obj); err != nil || !same {
				return invalid("%s is in the manifests twice, with different content", describe(it.ref))
			}
			continue
		}
		seen[it.ref] = it
		r.items = append(r.items, it)
	}
	slices.SortFunc(r.items, func(a, b *item) int { return compareRefs(a.ref, b.ref) })
	digest := sha256.New()
	encoder := json.NewEncoder(digest)
	for _, it := range r.items {
		// Maps are written in the order of their keys.
		if err := encoder.Encode(it.obj.Object); err != nil {
			return invalid("%s cannot be written as JSON", describe(it.ref))
		}
	}
	r.record.Digest = "sha256:" + hex.EncodeToString(digest.Sum(nil))
	return nil
}

func sameContent(a, b *unstructured.Unstructured) (bool, error) {
	x, err := json.Marshal(a.Object)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b.Object)
	return err == nil && slices.Equal(x, y), err
}

// refs names the objects that are wanted.
func (r *release) refs() object.ObjMetadataSet {
	refs := make(object.ObjMetadataSet, 0, len(r.items))
	for _, it := range r.items {
		refs = append(refs, it.ref)
	}
	return refs
}

// status says what stands on the target: what the inventory says.
func (r *release) status() []v1alpha1.ReleaseStatus {
	if r.stored == nil {
		return nil
	}
	version := r.stored.Version
	if version == "" {
		version = shortDigest(r.stored.Digest)
	}
	return []v1alpha1.ReleaseStatus{{
		Name:      r.name,
		Namespace: r.namespace,
		Chart:     r.stored.Source,
		Version:   version,
		Revision:  r.stored.Revision,
		Digest:    r.stored.Digest,
		Adopted:   r.stored.adopted(),
		Objects:   int32(len(r.stored.Objects)),
	}}
}

// explain gives an error its reason, where it has none yet.
func (r *release) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var known *installer.Error
	switch {
	case errors.Is(context.Cause(ctx), context.Canceled):
		return &installer.Error{Reason: installer.ReasonCanceled, Err: err}
	case errors.As(err, &known):
		return &installer.Error{Reason: known.Reason, Terminal: known.Terminal, Err: err}
	case ctx.Err() != nil:
		return &installer.Error{Reason: installer.ReasonNotReady, Err: fmt.Errorf("not done in time: %w", err)}
	}
	return classify(r.conn, err)
}
