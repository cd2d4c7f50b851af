// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/cluster"
)

// Difference is an object that is not as it was applied, and what sets it right.
type Difference struct {
	ID object.ObjMetadata
	// Applied is the object as it was applied, and Live as it is: nil where it
	// is missing.
	Applied, Live *unstructured.Unstructured

	// client is nil where the target does not serve the kind.
	client dynamic.ResourceInterface
	// restored is Live with what differs set back.
	restored *unstructured.Unstructured
	kept     []kept
	fields   []string
}

var errUnserved = errors.New("the target does not serve its kind: its CRD is gone")

func (d *Difference) finding() *Finding {
	return &Finding{ID: d.ID, Missing: d.Live == nil, Fields: d.fields}
}

// Create makes an object that is missing.
func (d *Difference) Create(ctx context.Context, obj *unstructured.Unstructured, manager string) error {
	if d.client == nil {
		return errUnserved
	}
	_, err := d.client.Create(ctx, obj, metav1.CreateOptions{FieldManager: manager})
	return err
}

// Restore sets what differs back, and nothing else, by a merge patch: it leaves
// no traces of an apply on an object that was not applied by the target.
func (d *Difference) Restore(ctx context.Context, manager string) error {
	patch := mergePatch(d.Live.Object, d.restored.Object)
	metadata, ok := patch["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		patch["metadata"] = metadata
	}
	// Somebody else's change since is not overwritten.
	metadata["resourceVersion"] = d.Live.GetResourceVersion()
	data, err := json.Marshal(patch)
	if err != nil {
		return errors.New("what differs cannot be written as JSON")
	}
	_, err = d.client.Patch(ctx, d.ID.Name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: manager})
	return err
}

// Reapply applies the object under a manager again. Fields that may differ are
// applied as they are: to leave them out would have the target remove them.
func (d *Difference) Reapply(ctx context.Context, manager string) error {
	if d.client == nil {
		return errUnserved
	}
	obj := d.Applied.DeepCopy()
	if len(d.kept) > 0 {
		obj = normalize(d.Applied)
	}
	for _, k := range d.kept {
		enterKept(obj.Object, k.path, k)
	}
	_, err := d.client.Apply(ctx, d.ID.Name, obj, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// enterKept sets a field of what was applied to what it is on the target.
func enterKept(container any, path fieldpath.Path, k kept) {
	child, index, found := find(container, path[0])
	switch {
	case !found:
	case len(path) > 1:
		enterKept(child, path[1:], k)
	case !k.absent:
		put(container, path[0], index, k.value)
	default:
		if m, ok := container.(map[string]any); ok {
			delete(m, *path[0].FieldName)
		}
	}
}

// mergePatch returns the JSON merge patch from one object to another.
func mergePatch(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for key, value := range to {
		had, found := from[key]
		if found && reflect.DeepEqual(had, value) {
			continue
		}
		before, isMap := had.(map[string]any)
		after, becomesMap := value.(map[string]any)
		if isMap && becomesMap {
			patch[key] = mergePatch(before, after)
			continue
		}
		patch[key] = value
	}
	for key := range from {
		if _, found := to[key]; !found {
			patch[key] = nil
		}
	}
	return patch
}

// Correct has write set right what is not as it was applied, one object after
// the other in the order in which they are made, and returns what was. An object
// for which refuse returns an error is left alone. One that is not set right
// does not keep others from it.
func (c *Checker) Correct(ctx context.Context, conn *cluster.Connection, release Release, refuse func(live *unstructured.Unstructured) error,
	write func(context.Context, *Difference) error) ([]Finding, error) {
	k := newCheck(conn, release)
	findings, err := c.check(ctx, k)
	if len(findings) == 0 {
		return nil, err
	}
	if err := k.load(ctx); err != nil {
		return nil, err
	}
	drifted := make(map[object.ObjMetadata]bool, len(findings))
	for _, f := range findings {
		drifted[f.ID] = true
	}
	var corrected []Finding
	var failed failures
	for _, id := range slices.DeleteFunc(k.order, func(id object.ObjMetadata) bool { return !drifted[id] }) {
		if ctx.Err() != nil {
			return sorted(corrected), ctx.Err()
		}
		f, err := k.correct(ctx, id, refuse, write)
		switch {
		case err != nil:
			failed.add(id, err)
		case f != nil:
			corrected = append(corrected, *f)
		}
	}
	if err == nil {
		err = failed.err("corrected")
	}
	return sorted(corrected), err
}

// correct looks at an object again before it is written.
func (k *check) correct(ctx context.Context, id object.ObjMetadata, refuse func(*unstructured.Unstructured) error, write func(context.Context, *Difference) error) (*Finding, error) {
	for range attempts {
		d, _, err := k.compare(ctx, id)
		if err != nil || d == nil {
			return nil, err
		}
		if d.Live != nil {
			if err := refuse(d.Live); err != nil {
				return nil, err
			}
		}
		err = write(ctx, d)
		switch {
		case err == nil:
			if d.Live == nil && id.GroupKind == crdKind {
				// Its kind may be needed next.
				k.conn.RESTMapper().Reset()
			}
			return d.finding(), nil
		case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err):
			return nil, err
		}
	}
	return nil, errMoving
}

func sorted(findings []Finding) []Finding {
	slices.SortFunc(findings, func(a, b Finding) int { return compareIDs(a.ID, b.ID) })
	return findings
}
