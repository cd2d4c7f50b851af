// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installer holds what the ways of installing have in common: what is
// asked of them, what they answer, and how they fail. The ways themselves are
// in the packages helm and manifest.
package installer

import (
	"context"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/fetch"
)

// Owner is the Integration that something on a target is there for. It is
// written on what KSIT installs, so that a KSIT restored from a backup, or a
// second Integration with the same release name, can tell whose it is.
type Owner struct {
	Namespace   string
	Integration string
}

// String returns namespace/name.
func (o Owner) String() string { return o.Namespace + "/" + o.Integration }

// Request is what shall stand on a target.
type Request struct {
	Owner Owner
	Type  v1alpha1.IntegrationType
	// Namespace is where the releases go on the target. It is created when
	// missing.
	Namespace string
	// AutoInstall is that of the Installation, with its defaults filled in.
	AutoInstall *v1alpha1.AutoInstall
	// Sources are what AutoInstall refers to: the caller, who may read the host
	// cluster, read them.
	Sources Sources
	// Target is what expressions in the values may ask about.
	Target Target
	// Recorded are the releases that the status of the Installation has. They
	// say which releases were adopted, and which are no longer wanted.
	Recorded []v1alpha1.ReleaseStatus
	// Timeout bounds the whole, waiting included.
	Timeout time.Duration
	// Waiting, if set, is called when what is applied is only waited for, and
	// maybe again. More may be applied after it.
	Waiting func()
	// To, of a Rollback, is the one revision that is brought back; nil for the
	// last of each release that went through.
	To *Revision
	// Hold, with To, is what a Rollback that went through leaves on the target
	// beside what it brought back, for Held to find.
	Hold *v1alpha1.Hold
	// Progress, if set, is told line by line what is done. The lines hold no
	// value of the chart.
	Progress func(line string)
}

// Say tells what is done.
func (r Request) Say(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

// Revision is one of a release.
type Revision struct {
	// Release is its name; empty for the last one of the request.
	Release string
	// Number is that of the revision; 0 for the last one before the present that
	// went through.
	Number int64
}

// Sources is what an AutoInstall refers to on the host cluster.
type Sources struct {
	// Manifests are those of manifestConfig.configMapRef.
	Manifests []byte
	// Values are those of helmConfig.valuesFrom, in its order. An optional one
	// that is missing is left out.
	Values []Values
	// Access is for helmConfig.repository or manifestConfig.url; nil where
	// neither secretRef nor caSecretRef is given.
	Access *fetch.Access
	// Keys are the public keys or key rings of helmConfig.verify, as they are in
	// the Secret, by their keys in it.
	Keys map[string][]byte
}

// Values are the content of one entry of helmConfig.valuesFrom.
type Values struct {
	// Origin names where they are from, for messages: Secret team/db, key x.
	Origin string
	// Content is YAML, or the text that is set at TargetPath.
	Content    []byte
	TargetPath string
	// Secret is true where nothing of the content may be shown.
	Secret bool
}

// Target is what an IntegrationTarget is called and labelled.
type Target struct {
	Namespace, Name, ClusterName string
	Labels, Annotations          map[string]string
}

// Result is what stands on a target after an Apply or a Rollback.
type Result struct {
	// Releases are in the order in which they were installed. After a failure
	// they are those that the target has.
	Releases []v1alpha1.ReleaseStatus
	// Changed is false when everything stood already, and nothing was written.
	Changed bool
	// Values are the merged values of the last release as YAML, for people, at
	// most v1alpha1.MaxStatusValues long, without what came from Secrets. Empty
	// for manifests.
	Values string
	// To is the revision that a Rollback to one was about, with its name and
	// number, once they are known.
	To Revision
}

// Removal says what an Uninstall removes.
type Removal struct {
	Owner    Owner
	Releases []v1alpha1.ReleaseStatus
	// Adopted is true when what was there before KSIT goes as well.
	Adopted bool
	Timeout time.Duration
}

// DriftCheck says what is compared with what was applied.
type DriftCheck struct {
	Owner    Owner
	Releases []v1alpha1.ReleaseStatus
	Ignore   []v1alpha1.DriftIgnore
}

// Drift is what is not as it was applied.
type Drift struct {
	// Resources are the first v1alpha1.MaxDrifted, in a fixed order.
	Resources []v1alpha1.DriftedResource
	// Total counts all of them.
	Total int
}

// Installer is one way of installing. Its methods are safe to call at once for
// different targets or releases; the caller makes sure that there is one call
// at a time for one Installation. Errors are of type *Error where a reason is
// known. They never hold a value of the chart.
type Installer interface {
	// Apply brings the target to what the request says and waits until its
	// objects are ready. It may be called again after any failure, also that
	// of the process: it then goes on from what it finds. On failure it returns
	// what stands on the target next to the error. It returns soon after ctx
	// ends.
	Apply(ctx context.Context, conn *cluster.Connection, req Request) (Result, error)
	// Rollback brings back the last revision of each release that went through,
	// the last release first, and waits until its objects are ready. Where the
	// newest revision is one that went through, nothing is done with that release.
	// It is an *Error with ReasonNothingToRollBack where there is none such.
	//
	// With req.To, that revision alone is brought back, whatever stands. Where
	// there is none such it is an *Error with ReasonRevisionNotFound that says
	// which there are, and nothing is changed.
	Rollback(ctx context.Context, conn *cluster.Connection, req Request) (Result, error)
	// Held finds what stands on the target because a Rollback to one revision
	// brought it back, and nothing was applied since: what that left as req.Hold,
	// and the releases. The hold is nil where it is not so. It is for who has no
	// memory of the target: a KSIT that was restored from a backup.
	Held(ctx context.Context, conn *cluster.Connection, req Request) (*v1alpha1.Hold, []v1alpha1.ReleaseStatus, error)
	// Uninstall removes the releases, the last one first, except the adopted
	// ones unless asked to; a release that is not there is no error, and one that
	// belongs to another owner is left alone. CRDs and namespaces stay.
	Uninstall(ctx context.Context, conn *cluster.Connection, removal Removal) error
	// Disown takes off the target all marks that releases are the owner's, and
	// leaves everything else. What is another owner's is left alone.
	Disown(ctx context.Context, conn *cluster.Connection, owner Owner, releases []v1alpha1.ReleaseStatus) error
	// Objects names the objects of the releases, hooks excluded, for probes.
	// A release that is not there is an *Error with ReasonReleaseMissing.
	Objects(ctx context.Context, conn *cluster.Connection, releases []v1alpha1.ReleaseStatus) (object.ObjMetadataSet, error)
	// Drift finds what somebody else changed or removed since it was applied, by
	// server-side dry run. It writes nothing.
	Drift(ctx context.Context, conn *cluster.Connection, check DriftCheck) (Drift, error)
	// Correct undoes drift, and returns what it corrected.
	Correct(ctx context.Context, conn *cluster.Connection, check DriftCheck) (Drift, error)
}
