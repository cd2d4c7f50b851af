// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/installation"
	"ksit.io/ksit/pkg/controller/integration"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

// Diff says what would change on the target if the Installation were what an
// Integration asks for.
func (i *Installations) Diff(ctx context.Context, inst *v1alpha1.Installation, asks *v1alpha1.Integration, unchanged bool) (*v1alpha1.InstallationDiffStatus, error) {
	select {
	case i.diffs <- struct{}{}:
		defer func() { <-i.diffs }()
	default:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf("%d diffs are being made already", maxDiffs), diffRetry)
	}
	ctx, cancel := context.WithTimeout(ctx, diffTimeout)
	defer cancel()
	candidate := inst.DeepCopy()
	candidate.Spec = integration.Candidate(asks, inst.TargetName())
	asked, err := i.ask(ctx, candidate)
	if err != nil {
		return nil, err
	}
	if asked == nil {
		return &v1alpha1.InstallationDiffStatus{Notes: []string{notInstalled(inst)}}, nil
	}
	plan, err := i.plan(ctx, asked, inst, candidate)
	if err != nil {
		return nil, explain(ctx, err, "finding out what would be applied")
	}
	found, err := preview.Compare(ctx, asked.connection, plan, unchanged)
	return found, explain(ctx, err, "comparing")
}

// notInstalled says what becomes of what is there.
func notInstalled(inst *v1alpha1.Installation) string {
	if _, installs := installation.Method(inst); installs && len(inst.Status.Releases) > 0 {
		return "autoInstall is off: KSIT would only probe, and leave what it installed as it is"
	}
	return "autoInstall is off: KSIT only probes, and installs nothing"
}

// plan is what an apply would do, with what goes before it.
func (i *Installations) plan(ctx context.Context, asked *asked, inst, candidate *v1alpha1.Installation) (*preview.Plan, error) {
	req := asked.request
	var err error
	if req.Sources, err = i.Sources.Read(ctx, candidate.Namespace, candidate.Spec.AutoInstall); err != nil {
		return nil, err
	}
	plan, err := asked.method.Preview(ctx, asked.connection, req)
	if err != nil {
		return nil, err
	}
	if !candidate.Spec.Enabled {
		plan.Note("spec.enabled is false: none of this is done until it is true")
	}
	if candidate.DeletionTimestamp != nil {
		plan.Note("the Installation is being deleted: none of this will be done")
	}
	return plan, i.retire(ctx, asked, inst, candidate, plan)
}

// retire adds what another method installed, which goes before this one begins.
func (i *Installations) retire(ctx context.Context, asked *asked, inst, candidate *v1alpha1.Installation, plan *preview.Plan) error {
	before, installed := installation.Method(inst)
	now, _ := installation.Method(candidate)
	former, known := i.Installers[before]
	if !installed || before == now || !known || len(inst.Status.Releases) == 0 {
		return nil
	}
	objects, err := former.Objects(ctx, asked.connection, inst.Status.Releases)
	if installer.ReasonOf(err) == installer.ReasonReleaseMissing {
		return nil
	}
	if err != nil {
		return err
	}
	plan.Note(fmt.Sprintf("the method changes from %s to %s: what the former installed is removed first, and what both have is made anew", before, now))
	plan.Remove(objects)
	return nil
}
