// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// dryRunManager applies nothing but dry runs. Under the name of who applied
	// the object, a dry run would also show what the last apply no longer sets.
	dryRunManager = "ksit-drift"
	// attempts bounds the tries to see an object twice between two changes.
	attempts = 3
	// maxPointer bounds a JSON pointer: keys of a map can be of any length.
	maxPointer = 256
)

// compare returns how an object differs from what was applied, nil where it does
// not, and what it looks like.
func (k *check) compare(ctx context.Context, id object.ObjMetadata) (*Difference, fingerprint, error) {
	applied := k.applied[id]
	client, err := k.resource(applied.GroupVersionKind(), id.Namespace)
	if meta.IsNoMatchError(err) {
		return k.compareUnserved(ctx, id, applied)
	}
	if err != nil {
		return nil, fingerprint{}, fmt.Errorf("asking the target for its kinds: %w", err)
	}
	for range attempts {
		live, err := client.Get(ctx, id.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return missing(id, applied, client), fingerprint{}, nil
		}
		if err != nil {
			return nil, fingerprint{}, err
		}
		seen := fingerprintOf(live)
		if live.GetDeletionTimestamp() != nil || ignoredByAnnotation(live) {
			return nil, seen, nil
		}
		d, err := k.difference(ctx, client, id, live)
		if !errors.Is(err, errMoving) {
			return d, seen, err
		}
	}
	return nil, fingerprint{}, errMoving
}

func missing(id object.ObjMetadata, applied *unstructured.Unstructured, client dynamic.ResourceInterface) *Difference {
	if expendable(applied) {
		return nil
	}
	return &Difference{ID: id, Applied: applied, client: client}
}

// compareUnserved is for an object of a version that the target serves no more:
// it is there or not, and that is all there is to tell.
func (k *check) compareUnserved(ctx context.Context, id object.ObjMetadata, applied *unstructured.Unstructured) (*Difference, fingerprint, error) {
	client, err := k.metadata(place{id.GroupKind, id.Namespace})
	if meta.IsNoMatchError(err) {
		return missing(id, applied, nil), fingerprint{}, nil
	}
	if err != nil {
		return nil, fingerprint{}, fmt.Errorf("asking the target for its kinds: %w", err)
	}
	live, err := client.Get(ctx, id.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return missing(id, applied, nil), fingerprint{}, nil
	case err != nil:
		return nil, fingerprint{}, err
	}
	return nil, fingerprintOf(live), nil
}

// difference compares a live object with what an apply would make of it.
func (k *check) difference(ctx context.Context, client dynamic.ResourceInterface, id object.ObjMetadata, live *unstructured.Unstructured) (*Difference, error) {
	applied := k.applied[id]
	answer, err := dryRun(ctx, client, normalize(applied))
	if err != nil || answer == nil {
		return nil, err
	}
	if !answer.loose && answer.want.GetResourceVersion() != live.GetResourceVersion() {
		return nil, errMoving
	}
	if sameContent(answer.want, live) {
		return nil, nil
	}
	ignored, err := k.ignored(ctx, id, answer.want, live)
	if err != nil {
		return nil, err
	}
	d := differ{ignored: ignored, loose: answer.loose}
	restored := live.DeepCopy()
	d.walk(answer.owned, answer.want.Object, restored.Object, "", nil)
	if len(d.fields) == 0 {
		return nil, nil
	}
	return &Difference{ID: id, Applied: applied, Live: live, client: client, restored: restored, kept: d.kept, fields: firstFields(d.fields)}, nil
}

// sameContent spares most objects the walk, and the copy of them that it takes.
// Of the metadata those count that can be applied.
func sameContent(want, live *unstructured.Unstructured) bool {
	for key, value := range want.Object {
		if key != "metadata" && key != "status" && !reflect.DeepEqual(value, live.Object[key]) {
			return false
		}
	}
	return len(want.Object) == len(live.Object) &&
		maps.Equal(want.GetLabels(), live.GetLabels()) && maps.Equal(want.GetAnnotations(), live.GetAnnotations()) &&
		slices.Equal(want.GetFinalizers(), live.GetFinalizers()) && reflect.DeepEqual(want.GetOwnerReferences(), live.GetOwnerReferences())
}

// ignored returns what tells which fields of an object may differ.
func (k *check) ignored(ctx context.Context, id object.ObjMetadata, want, live *unstructured.Unstructured) (func(string) bool, error) {
	pointers, patterns := k.rules.pointers(id), foreign(k.applied[id])
	wanted, found, _ := unstructured.NestedFieldNoCopy(want.Object, "spec", "replicas")
	has, _, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "replicas")
	if _, counted := wanted.(int64); found && counted && wanted != has {
		scaled, err := k.scalers.scales(ctx, id)
		if err != nil {
			return nil, err
		}
		if scaled {
			pointers = append(pointers, replicasPointer)
		}
	}
	return func(pointer string) bool {
		return slices.ContainsFunc(pointers, func(rule string) bool { return covers(rule, pointer) }) ||
			slices.ContainsFunc(patterns, func(pattern string) bool { return fits(pattern, pointer) })
	}, nil
}

// answer is what a target makes of an object that is applied.
type answer struct {
	want *unstructured.Unstructured
	// owned are the fields of it that were applied.
	owned *fieldpath.Set
	// loose is true where want is no answer, but what was applied.
	loose bool
}

// dryRun returns nil where the target has a webhook that takes no dry runs:
// what it would make of the object cannot be known.
func dryRun(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured) (*answer, error) {
	data, err := wanted.MarshalJSON()
	if err != nil {
		return nil, errors.New("what was applied cannot be written as JSON")
	}
	force := true
	options := metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: dryRunManager, Force: &force}
	want, err := client.Patch(ctx, wanted.GetName(), types.ApplyPatchType, data, options)
	if err == nil {
		owned, err := ownedBy(want, dryRunManager)
		return &answer{want: want, owned: owned}, err
	}
	if unfit(err) {
		options.Force = nil
		if want, err = client.Patch(ctx, wanted.GetName(), types.MergePatchType, data, options); err == nil {
			return &answer{want: want, owned: guessOwned(wanted)}, nil
		}
	}
	switch {
	case apierrors.IsInvalid(err):
		return &answer{want: wanted, owned: guessOwned(wanted), loose: true}, nil
	case dryRunRefused(err):
		return nil, nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil, errMoving
	default:
		return nil, err
	}
}

// unfit tells that an object may not fit the schema by which it would be
// applied. The API server answers that as if it were an error of its own.
func unfit(err error) bool {
	return !dryRunRefused(err) && (apierrors.IsBadRequest(err) || apierrors.IsInternalError(err) || apierrors.IsUnsupportedMediaType(err))
}

// dryRunRefused tells that a webhook has side effects and was not asked.
func dryRunRefused(err error) bool {
	return apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run")
}

// firstFields sorts JSON pointers, and returns the first.
func firstFields(fields []string) []string {
	slices.Sort(fields)
	fields = slices.Clone(fields[:min(len(fields), v1alpha1.MaxDriftedFields)])
	for i := range fields {
		fields[i] = shorten(fields[i])
	}
	return fields
}

func shorten(s string) string {
	if len(s) <= maxPointer {
		return s
	}
	cut := maxPointer
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
