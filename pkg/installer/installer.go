// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installer holds what the ways of installing have in common: what is
// asked of them, what they answer, and how they fail. The ways themselves are
// in the packages helm and manifest.
package installer

import (
	"context"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
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
	// Manifests are the manifests themselves where AutoInstall names a
	// ConfigMap: the caller, who may read the host cluster, read them.
	Manifests []byte
	// Recorded are the releases that the status of the Installation has. They
	// say which releases were adopted, and which are no longer wanted.
	Recorded []v1alpha1.ReleaseStatus
	// Timeout bounds the whole, waiting included.
	Timeout time.Duration
}

// Result is what stands on a target after an Apply.
type Result struct {
	// Releases are in the order in which they were installed. After a failure
	// they are those that the target has.
	Releases []v1alpha1.ReleaseStatus
	// Changed is false when everything stood already, and nothing was written.
	Changed bool
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
	// Uninstall removes the releases, the last one first, except the adopted
	// ones; a release that is not there is no error. CRDs and namespaces stay.
	Uninstall(ctx context.Context, conn *cluster.Connection, owner Owner, releases []v1alpha1.ReleaseStatus, timeout time.Duration) error
	// Objects names the objects of the releases, hooks excluded, for probes.
	// A release that is not there is an *Error with ReasonReleaseMissing.
	Objects(ctx context.Context, conn *cluster.Connection, releases []v1alpha1.ReleaseStatus) (object.ObjMetadataSet, error)
}
