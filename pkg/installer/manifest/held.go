// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// markHeld leaves in the inventory what a rollback holds back. The next apply
// begins an inventory without it.
func (r *release) markHeld(ctx context.Context, hold *v1alpha1.Hold, to installer.Revision) error {
	if hold == nil {
		return nil
	}
	marked := *r.stored
	marked.Held = hold.DeepCopy()
	marked.Held.Release, marked.Held.Revision = to.Release, to.Number
	return r.write(ctx, &marked)
}

// Held implements installer.Installer.
func (i *Installer) Held(ctx context.Context, conn *cluster.Connection, req installer.Request) (*v1alpha1.Hold, []v1alpha1.ReleaseStatus, error) {
	r := requested(conn, req)
	if err := r.read(ctx); err != nil {
		return nil, nil, r.explain(ctx, err)
	}
	if r.stored == nil || r.stored.Held == nil || r.stored.Applying != "" {
		return nil, nil, nil
	}
	return r.stored.Held, r.status(), nil
}
