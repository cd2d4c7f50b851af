// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// TestHoldIsTakenUp restores an Installation whose spec somebody had rolled back on
// the target: nothing is installed, also where a reconcile had been asked for
// before the backup. A new spec ends it as ever.
func TestHoldIsTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.change(func(i *v1alpha1.Installation) { i.Spec.ReconcileRequest = "long ago" })
		s.installer.heldErr = installer.Errorf(installer.ReasonTargetUnreachable, "no route")
		s.run(30 * time.Second)
		if n := s.installer.applies.Load(); n != 0 || s.get().Status.Failures == 0 {
			t.Fatalf("%d applies before it was known whether a rollback holds; status %+v", n, s.get().Status)
		}
		s = simulate(t)
		s.change(func(i *v1alpha1.Installation) { i.Spec.ReconcileRequest = "long ago" })
		digest := digestOf(s.get(), upToDate().target)
		s.installer.held = &v1alpha1.Hold{Digest: digest, Release: "app", Revision: 1, RequestedBy: "alice"}
		s.run(weekend)
		i := s.get()
		if n := s.installer.applies.Load(); n != 0 {
			t.Errorf("%d applies of what was rolled back", n)
		}
		if i.Status.Hold == nil || i.Status.Hold.RequestedBy != "alice" || len(i.Status.Releases) != 1 || !held(observed{installation: i, digest: digest}) ||
			!status.IsTrue(i.Status.Conditions, v1alpha1.ConditionInstalled) || status.IsTrue(i.Status.Conditions, v1alpha1.ConditionStalled) {
			t.Errorf("status %+v", i.Status)
		}
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.0" })
		s.run(time.Minute)
		if n := s.installer.applies.Load(); n != 1 || s.get().Status.Hold != nil {
			t.Errorf("%d applies of a new spec, hold %+v", n, s.get().Status.Hold)
		}
	})
}

// A rollback of something else than what the spec asks for holds nothing back.
func TestHoldOfAnotherSpec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.installer.held = &v1alpha1.Hold{Digest: "sha256:another", Release: "app", Revision: 1, RequestedBy: "alice"}
		s.run(time.Minute)
		if n := s.installer.applies.Load(); n != 1 || s.get().Status.Hold != nil {
			t.Errorf("%d applies, hold %+v", n, s.get().Status.Hold)
		}
	})
}

// What kubectl apply writes beside a target is none of the facts by which values
// differ: to write the target in another way installs nothing anew.
func TestDigestLeavesOutWhatKubectlKeeps(t *testing.T) {
	o := upToDate()
	o.installation.Spec.AutoInstall.HelmConfig = &v1alpha1.HelmConfig{Chart: "app", TemplateValues: true}
	before := digestOf(o.installation, o.target)
	o.target.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	if digestOf(o.installation, o.target) != before {
		t.Error("the digest covers what kubectl keeps for itself")
	}
	o.target.Annotations["tier"] = "gold"
	if digestOf(o.installation, o.target) == before {
		t.Error("the digest leaves out an annotation that values may depend on")
	}
}
