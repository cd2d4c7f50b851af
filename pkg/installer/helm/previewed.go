// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/object"
	"helm.sh/helm/v3/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

// previewed is a release in a preview.
type previewed struct {
	ctx  context.Context
	conn *cluster.Connection
	step *step
	hide func(string) string
	// former is the revision that stands; nil where none does.
	former *storedRelease
}

// standing reads the revision whose objects are on the target.
func (w *previewed) standing() (*storedRelease, error) {
	standing, found := standingRevision(w.step.observed.revisions)
	if !found {
		return nil, nil
	}
	if newest, _ := w.step.observed.newest(); newest.secret == standing.secret {
		return w.step.observed.last, nil
	}
	stored, err := readRelease(w.ctx, w.conn, w.step.name.Namespace, standing.secret)
	if apierrors.IsNotFound(err) || err != nil && isUnreadable(err) {
		return nil, nil
	}
	return stored, err
}

// settled adds the objects of a release that is as it is asked for.
func (w *previewed) settled(out *preview.Plan) error {
	s, last := w.step, w.step.observed.last
	newest, _ := s.observed.newest()
	status := v1alpha1.ReleaseStatus{
		Name: s.name.Name, Namespace: s.name.Namespace, Chart: last.chartName(), Version: last.chartVersion(),
		AppVersion: shorten(last.Chart.Metadata.AppVersion, 128), Revision: int64(newest.number),
		Adopted: s.decision.adopted, Objects: countObjects(last.Manifest),
	}
	status.Digest, _ = digest(status.Chart, status.Version, last.Config, s.policy)
	out.Releases = append(out.Releases, status)
	objects, err := manifestContent(last.Manifest, s.name.Namespace, w.conn)
	if err != nil {
		return err
	}
	before := len(out.Objects)
	w.add(objects, objects, out)
	for n := range out.Objects[before:] {
		out.Objects[before+n].Settled = true
	}
	return nil
}

// rolledOut adds what a rendered manifest brings, and what it no longer has.
func (w *previewed) rolledOut(manifest string, crds []crd, out *preview.Plan) error {
	objects, err := manifestContent(manifest, w.step.name.Namespace, w.conn)
	if err != nil {
		return err
	}
	var before []*unstructured.Unstructured
	if w.former != nil {
		if before, err = manifestContent(w.former.Manifest, w.step.name.Namespace, w.conn); err != nil {
			return err
		}
	}
	for _, c := range crds {
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON(c.raw); err != nil {
			return installer.Terminalf(installer.ReasonChartInvalid, "the CRD %s cannot be read", c.Metadata.Name)
		}
		out.Objects = append(out.Objects, preview.Object{Content: obj, DryRun: w.applyCRD(obj, false), Left: w.step.policy == v1alpha1.CRDPolicyCreate})
	}
	scope(objects, crds)
	w.add(objects, before, out)
	return w.dropped(before, objects, out)
}

// scope takes the namespace off objects of kinds that CRDs of the release bring
// and that are in none.
func scope(objects []*unstructured.Unstructured, crds []crd) {
	outside := map[schema.GroupKind]bool{}
	for _, c := range crds {
		var spec struct {
			Spec struct {
				Scope string `json:"scope"`
			} `json:"spec"`
		}
		if json.Unmarshal(c.raw, &spec) == nil && spec.Spec.Scope == "Cluster" {
			outside[schema.GroupKind{Group: c.Spec.Group, Kind: c.Spec.Names.Kind}] = true
		}
	}
	for _, obj := range objects {
		if outside[obj.GroupVersionKind().GroupKind()] {
			obj.SetNamespace("")
		}
	}
}

// add adds the objects of a manifest, CRDs first, given those of before.
func (w *previewed) add(objects, before []*unstructured.Unstructured, out *preview.Plan) {
	former := map[object.ObjMetadata]*unstructured.Unstructured{}
	for _, obj := range before {
		former[object.UnstructuredToObjMetadata(obj)] = obj.DeepCopy()
	}
	client := kube.New(dryRunGetter{&boundGetter{RESTClientGetter: w.conn.RESTClientGetter(w.step.name.Namespace), ctx: w.ctx}})
	client.Namespace = w.step.name.Namespace
	var rest []preview.Object
	for _, obj := range objects {
		id := object.UnstructuredToObjMetadata(obj)
		obj = obj.DeepCopy()
		mark(obj, w.step.name)
		if id.GroupKind == (schema.GroupKind{Group: crdGroup, Kind: crdKind}) {
			out.Objects = append(out.Objects, preview.Object{Content: obj, DryRun: w.applyCRD(obj, true)})
			continue
		}
		rest = append(rest, preview.Object{Content: obj, Hide: w.hide, DryRun: w.update(client, former[id], obj)})
	}
	out.Objects = append(out.Objects, rest...)
}

// mark puts on an object what Helm does.
func mark(obj *unstructured.Unstructured, name releaseName) {
	labels, annotations := obj.GetLabels(), obj.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[labelManagedBy] = "Helm"
	annotations[annotationReleaseName], annotations[annotationReleaseNamespace] = name.Name, name.Namespace
	obj.SetLabels(labels)
	obj.SetAnnotations(annotations)
}

func isMarked(obj *unstructured.Unstructured, name releaseName) bool {
	return marked(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: obj.GetLabels(), Annotations: obj.GetAnnotations()}}, name)
}

// update has Helm's own client bring one object from what it was to what it shall
// be, with all writes turned into dry runs.
func (w *previewed) update(client *kube.Client, former, wanted *unstructured.Unstructured) func(context.Context, *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return func(_ context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if live != nil && former == nil && !isMarked(live, w.step.name) {
			return nil, &preview.Refusal{Reason: "it is there already and is not the release's: remove it, or annotate it for the release as Helm asks"}
		}
		target, err := build(client, wanted)
		if err != nil {
			return nil, w.refusal(err)
		}
		var original kube.ResourceList
		if former != nil {
			if original, err = build(client, former); err != nil {
				return nil, w.refusal(err)
			}
		}
		if _, err := client.Update(original, target, false); err != nil {
			return nil, w.refusal(err)
		}
		if len(target) != 1 {
			return nil, &preview.Refusal{Reason: "it is not one object"}
		}
		result, ok := target[0].Object.(*unstructured.Unstructured)
		if !ok {
			return nil, &preview.Refusal{Reason: "the target's answer is no object"}
		}
		return result, nil
	}
}

func build(client *kube.Client, obj *unstructured.Unstructured) (kube.ResourceList, error) {
	text, err := yaml.Marshal(obj.Object)
	if err != nil {
		return nil, fmt.Errorf("writing it as YAML: %w", err)
	}
	return client.Build(bytes.NewReader(text), false)
}

// refusal tells what the target has against an object from that it does not
// answer: Helm has made one text of both.
func (w *previewed) refusal(err error) error {
	if reason, _ := reasonOf(err); reason == installer.ReasonTargetUnreachable || w.ctx.Err() != nil {
		return err
	}
	return &preview.Refusal{Reason: w.hide(w.step.redact.text(err.Error()))}
}

// applyCRD applies a CRD as applyCRD of a rollout does.
func (w *previewed) applyCRD(obj *unstructured.Unstructured, templated bool) func(context.Context, *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return func(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if templated && live != nil {
			existing := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: live.GetName(), Annotations: live.GetAnnotations()}}
			if err := mayTakeCRD(ctx, w.conn, existing, w.step.name); err != nil {
				return nil, w.refusal(err)
			}
		}
		result, err := w.conn.Dynamic().Resource(crdResource).Apply(ctx, obj.GetName(), obj,
			metav1.ApplyOptions{FieldManager: FieldManager, Force: true, DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return nil, w.refusal(err)
		}
		return result, nil
	}
}
