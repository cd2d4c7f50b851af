// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/drift"
	"ksit.io/ksit/pkg/installer"
)

// Drift implements installer.Installer. What was applied is the manifest of the
// newest revision: hooks and the CRDs of crds/ are no part of it. A release
// whose newest revision is not deployed is not compared, since nobody knows how
// much of it was applied.
func (i *Installer) Drift(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck) (installer.Drift, error) {
	return i.eachDeployed(ctx, conn, check, func(deployed drift.Release) ([]drift.Finding, error) {
		return i.drift.Check(ctx, conn, deployed)
	})
}

// Correct implements installer.Installer. It sets back the fields that differ,
// under the name and in the manner of Helm, and makes no revision: for Helm
// nothing has happened.
func (i *Installer) Correct(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck) (installer.Drift, error) {
	return i.eachDeployed(ctx, conn, check, func(deployed drift.Release) ([]drift.Finding, error) {
		refuse := func(live *unstructured.Unstructured) error {
			return refuseOthers(live, check.Owner, deployed.NamespacedName)
		}
		return i.drift.Correct(ctx, conn, deployed, refuse, func(ctx context.Context, d *drift.Difference) error {
			return restore(ctx, conn, deployed.NamespacedName, d)
		})
	})
}

// eachDeployed calls do with every release that is deployed and the owner's, and
// returns the findings of all, next to the first error.
func (i *Installer) eachDeployed(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck, do func(drift.Release) ([]drift.Finding, error)) (installer.Drift, error) {
	var findings []drift.Finding
	var first error
	for _, r := range check.Releases {
		deployed, ok, err := deployedRelease(ctx, conn, check, r)
		if ok {
			var found []drift.Finding
			found, err = do(deployed)
			findings = append(findings, found...)
		}
		if err != nil && first == nil {
			first = classify(ctx, err, fmt.Sprintf("drift of release %s in namespace %s", r.Name, r.Namespace), nil)
		}
	}
	return drift.Summary(findings), first
}

// deployedRelease returns a release as it is compared; ok is false where it is
// not.
func deployedRelease(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck, r v1alpha1.ReleaseStatus) (deployed drift.Release, ok bool, err error) {
	name := releaseName{Namespace: r.Namespace, Name: r.Name}
	revisions, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
	if err != nil || len(revisions) == 0 {
		return drift.Release{}, false, err
	}
	newest := revisions[len(revisions)-1]
	if holder, owned := ownerOf(newest.labels); newest.status != release.StatusDeployed || owned && holder != check.Owner {
		return drift.Release{}, false, nil
	}
	return drift.Release{
		NamespacedName: name,
		Revision:       newest.secret + "/" + newest.resourceVersion,
		Ignore:         check.Ignore,
		Load: func(ctx context.Context) ([]*unstructured.Unstructured, error) {
			stored, err := readRelease(ctx, conn, name.Namespace, newest.secret)
			if err != nil {
				return nil, err
			}
			return manifestContent(stored.Manifest, name.Namespace, conn)
		},
	}, true, nil
}

// manifestContent returns the objects of a manifest, each in its namespace.
func manifestContent(manifest, namespace string, conn *cluster.Connection) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	add := func(obj *unstructured.Unstructured) error {
		where, err := namespaceOf(obj.GroupVersionKind(), obj.GetNamespace(), namespace, conn.RESTMapper())
		if err != nil {
			return err
		}
		obj.SetNamespace(where)
		objects = append(objects, obj)
		return nil
	}
	err := eachDocument(strings.NewReader(manifest), func(document []byte) error {
		raw, err := yaml.YAMLToJSON(document)
		obj := &unstructured.Unstructured{}
		if err != nil || obj.UnmarshalJSON(raw) != nil {
			return nil // Helm applied it none the less: there is nothing to it.
		}
		if !obj.IsList() {
			return add(obj)
		}
		list, err := obj.ToList()
		if err != nil {
			return nil
		}
		for n := range list.Items {
			if err := add(&list.Items[n]); err != nil {
				return err
			}
		}
		return nil
	})
	return objects, err
}

// refuseOthers refuses an object that is another release's, or another
// Integration's, by now.
func refuseOthers(live *unstructured.Unstructured, owner installer.Owner, name releaseName) error {
	if other, owned := ownerOf(live.GetLabels()); owned && other != owner {
		return installer.Terminalf(installer.ReasonReleaseConflict, "it belongs to the Integration %s by now: take it out of one of the two", other)
	}
	annotations := live.GetAnnotations()
	other := releaseName{Namespace: annotations[annotationReleaseNamespace], Name: annotations[annotationReleaseName]}
	if other.Name != "" && other.Namespace != "" && other != name {
		return installer.Terminalf(installer.ReasonReleaseConflict, "it belongs to the release %s in namespace %s by now: take it out of one of the two",
			shorten(other.Name, 64), shorten(other.Namespace, 64))
	}
	return nil
}

// restore sets one object right.
func restore(ctx context.Context, conn *cluster.Connection, name releaseName, d *drift.Difference) error {
	if d.Live != nil {
		return d.Restore(ctx, FieldManager)
	}
	if gk := d.ID.GroupKind; gk.Group == crdGroup && gk.Kind == crdKind {
		return restoreCRD(ctx, conn, name, d.Applied)
	}
	// Without it Helm refuses to take the object for its own.
	mark(d.Applied, name)
	return d.Create(ctx, d.Applied, FieldManager)
}

// restoreCRD makes a CRD, and returns when it is served: custom resources may
// come next.
func restoreCRD(ctx context.Context, conn *cluster.Connection, name releaseName, applied *unstructured.Unstructured) error {
	raw, err := applied.MarshalJSON()
	if err != nil {
		return err
	}
	c, ok, err := parseCRD(raw)
	if err != nil || !ok {
		return err
	}
	c.templated = true
	return applyCRDs(ctx, conn, []crd{c}, v1alpha1.CRDPolicyCreateReplace, name)
}
