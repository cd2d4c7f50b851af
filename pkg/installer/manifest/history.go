// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

var (
	_ installer.Historian = (*Installer)(nil)
	_ installer.Previewer = (*Installer)(nil)
)

// The words for the revisions of manifests are those that Helm has for its own.
const (
	statusDeployed   = "deployed"
	statusPending    = "pending-upgrade"
	statusSuperseded = "superseded"
)

// History implements installer.Historian. A target keeps what stands, what is
// being applied, and a few revisions before it whose objects became ready: see
// maxFormer.
func (i *Installer) History(ctx context.Context, conn *cluster.Connection, query installer.Query) ([]v1alpha1.ReleaseHistory, error) {
	var histories []v1alpha1.ReleaseHistory
	for _, recorded := range query.Request.Recorded {
		if query.Release != "" && query.Release != recorded.Name {
			continue
		}
		r := newRelease(conn, query.Request.Owner, recorded.Namespace, recorded.Name)
		history := v1alpha1.ReleaseHistory{Name: r.name, Namespace: r.namespace}
		var err error
		if history.Revisions, err = r.history(ctx); err != nil {
			return nil, r.explain(ctx, fmt.Errorf("the release %s/%s: %w", r.namespace, r.name, err))
		}
		histories = append(histories, history)
	}
	return histories, nil
}

func (r *release) history(ctx context.Context) ([]v1alpha1.ReleaseRevision, error) {
	if err := r.read(ctx); err != nil || r.stored == nil {
		return nil, err
	}
	var out []v1alpha1.ReleaseRevision
	stored, status := r.stored, statusDeployed
	if stored.Applying != "" {
		status = statusSuperseded
		next := v1alpha1.ReleaseRevision{Revision: stored.Revision, Status: statusPending, Digest: stored.Applying, DeployedAt: r.writtenAt(),
			Chart: stored.Source, Version: versionOf(stored.Version, stored.Applying), Description: "being applied, or the apply was cut short"}
		if stored.Applying != stored.Digest {
			next.Revision++
		}
		out = append(out, next)
	}
	if stored.Digest != "" && stored.Digest != stored.Applying {
		current := v1alpha1.ReleaseRevision{Revision: stored.Revision, Status: status, Digest: stored.Digest,
			Chart: stored.Source, Version: versionOf(stored.Version, stored.Digest), Description: "applied; its objects were not all ready yet"}
		if stored.Good == stored.Digest {
			current.Description = "applied, and its objects were ready"
		}
		if stored.Applying == "" {
			current.DeployedAt = r.writtenAt()
		} else if err := r.describeKept(ctx, &current); err != nil {
			return nil, err
		}
		out = append(out, current)
	}
	for _, before := range stored.back() {
		if before.Digest == stored.Digest || before.Digest == stored.Applying {
			continue
		}
		former := v1alpha1.ReleaseRevision{Revision: before.Revision, Status: statusSuperseded, Digest: before.Digest,
			Description: "applied, and its objects were ready"}
		if err := r.describeKept(ctx, &former); err != nil {
			return nil, err
		}
		out = append(out, former)
	}
	return out, nil
}

// describeKept says where a revision came from, if that is kept.
func (r *release) describeKept(ctx context.Context, revision *v1alpha1.ReleaseRevision) error {
	s, err := r.snapshotOf(ctx, revision.Digest)
	if err != nil || s == nil {
		return err
	}
	revision.Chart, revision.Version = s.Source, versionOf(s.Version, revision.Digest)
	return nil
}

func versionOf(version, digest string) string {
	if version != "" {
		return version
	}
	return shortDigest(digest)
}

// writtenAt is when the inventory was last written.
func (r *release) writtenAt() *metav1.Time {
	at := r.configMap.CreationTimestamp.Time
	for _, f := range r.configMap.ManagedFields {
		if f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return &metav1.Time{Time: at.Truncate(time.Second)}
}

// Manifest implements installer.Historian.
func (i *Installer) Manifest(ctx context.Context, conn *cluster.Connection, query installer.Query) ([]v1alpha1.ReleaseManifest, error) {
	var out []v1alpha1.ReleaseManifest
	for _, recorded := range query.Request.Recorded {
		if query.Release != "" && query.Release != recorded.Name {
			continue
		}
		r := newRelease(conn, query.Request.Owner, recorded.Namespace, recorded.Name)
		shown, err := r.shown(ctx, query.Revision)
		if err != nil {
			return nil, r.explain(ctx, fmt.Errorf("the release %s/%s: %w", r.namespace, r.name, err))
		}
		out = append(out, shown)
	}
	return out, nil
}

// shown is a revision without what is in Secrets; the one that stands where
// number is 0.
func (r *release) shown(ctx context.Context, number int64) (v1alpha1.ReleaseManifest, error) {
	out := v1alpha1.ReleaseManifest{Name: r.name, Namespace: r.namespace}
	if err := r.read(ctx); err != nil {
		return out, err
	}
	if r.stored == nil {
		return out, installer.Errorf(installer.ReasonReleaseMissing,
			"the inventory %s/%s is not on the target: somebody deleted it or its namespace", r.namespace, r.inventoryName())
	}
	wanted := formerRevision{Revision: r.stored.Revision, Digest: cmp.Or(r.stored.Digest, r.stored.Applying)}
	if number != 0 && number != wanted.Revision {
		kept := r.stored.back()
		n := slices.IndexFunc(kept, func(f formerRevision) bool { return f.Revision == number })
		if n < 0 {
			return out, installer.Terminalf(installer.ReasonReleaseMissing, "the target keeps no revision %d of it: ask for its history", number)
		}
		wanted = kept[n]
	}
	digest := wanted.Digest
	s, err := r.snapshotOf(ctx, digest)
	if err != nil {
		return out, err
	}
	if s == nil {
		return out, installer.Terminalf(installer.ReasonReleaseMissing,
			"what was applied is not in the Secret %s/%s: it was too large, or KSIT may not write Secrets there, or somebody removed it", r.namespace, r.appliedName())
	}
	out.Revision, out.Chart, out.Version = wanted.Revision, s.Source, versionOf(s.Version, digest)
	objects := make([]*unstructured.Unstructured, 0, len(s.Objects))
	for _, content := range s.Objects {
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	out.Manifest, out.Truncated, err = text(objects)
	return out, err
}

// text writes objects without what is in Secrets, as many as fit.
func text(objects []*unstructured.Unstructured) (string, bool, error) {
	var out strings.Builder
	truncated := false
	for _, obj := range objects {
		document, err := yaml.Marshal(preview.Conceal(obj, nil).Object)
		if err != nil {
			return "", false, fmt.Errorf("writing %s %s as YAML: %w", obj.GetKind(), obj.GetName(), err)
		}
		document = slices.Concat([]byte("---\n"), document)
		if out.Len()+len(document) > v1alpha1.MaxManifest {
			truncated = true
			continue
		}
		out.Write(document)
	}
	return out.String(), truncated, nil
}
