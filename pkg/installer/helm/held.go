// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/json"
	"fmt"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// annotationHeld, on the Secret of the revision that a rollback by hand made, is
// what that holds back. An annotation, because Helm hands those on to no other
// revision: what is applied next ends it.
const annotationHeld = "ksit.io/held"

// markHeld leaves on the newest revision what a rollback holds back.
func markHeld(ctx context.Context, conn *cluster.Connection, name releaseName, hold *v1alpha1.Hold, to installer.Revision) error {
	if hold == nil {
		return nil
	}
	revisions, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
	if err != nil || len(revisions) == 0 {
		return err
	}
	left := hold.DeepCopy()
	left.Release, left.Revision = to.Release, to.Number
	text, err := json.Marshal(left)
	if err != nil {
		return fmt.Errorf("writing what is held back: %w", err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotationHeld: string(text)}}})
	if err != nil {
		return fmt.Errorf("writing what is held back: %w", err)
	}
	_, err = conn.Metadata().Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(name.Namespace).
		Patch(ctx, revisions[len(revisions)-1].secret, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	return err
}

// Held implements installer.Installer.
func (i *Installer) Held(ctx context.Context, conn *cluster.Connection, req installer.Request) (*v1alpha1.Hold, []v1alpha1.ReleaseStatus, error) {
	if req.AutoInstall == nil || req.AutoInstall.HelmConfig == nil {
		return nil, nil, nil
	}
	steps, dropped, err := planRollback(req)
	if err != nil {
		return nil, nil, err
	}
	var hold *v1alpha1.Hold
	for _, s := range steps {
		revisions, err := listRevisions(ctx, conn, s.name.Namespace, releaseQuery(s.name.Name))
		if err != nil {
			return nil, nil, classify(ctx, err, "looking at "+s.doing(), s.redact)
		}
		if found := heldBy(revisions, req.Owner); found != nil {
			hold = found
		}
	}
	if hold == nil {
		return nil, nil, nil
	}
	return hold, i.result(ctx, conn, req, steps, dropped, false).Releases, nil
}

// heldBy is what the newest of the revisions says is held back.
func heldBy(revisions []revision, owner installer.Owner) *v1alpha1.Hold {
	if len(revisions) == 0 {
		return nil
	}
	newest := revisions[len(revisions)-1]
	if holder, owned := ownerOf(newest.labels); !owned || holder != owner || newest.status != release.StatusDeployed {
		return nil
	}
	return installer.DecodeHold(newest.held)
}
