// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/tracing"
)

// Uninstall implements installer.Installer. A release whose labels name another
// Integration is left, whatever the status says.
func (i *Installer) Uninstall(ctx context.Context, conn *cluster.Connection, removal installer.Removal) error {
	if removal.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, removal.Timeout, errTimeout)
		defer cancel()
	}
	for n := len(removal.Releases) - 1; n >= 0; n-- {
		if err := i.uninstall(ctx, conn, removal.Owner, removal.Releases[n], removal.Adopted); err != nil {
			return err
		}
	}
	return nil
}

// uninstall removes one release; an adopted one it lets go, unless that is to go
// as well.
func (i *Installer) uninstall(ctx context.Context, conn *cluster.Connection, owner installer.Owner, r v1alpha1.ReleaseStatus, adopted bool) (err error) {
	ctx, done := installer.Step(ctx, "helm uninstall", tracing.Text("ksit.release", r.Namespace+"/"+r.Name))
	defer func() { done(err) }()
	name := releaseName{Namespace: r.Namespace, Name: r.Name}
	doing := fmt.Sprintf("release %s in namespace %s", name.Name, name.Namespace)
	revisions, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
	if err != nil {
		return uninstallError(ctx, err, "looking at "+doing)
	}
	if len(revisions) == 0 {
		return nil
	}
	newest := revisions[len(revisions)-1]
	holder, owned := ownerOf(newest.labels)
	switch {
	case owned && holder != owner:
		return nil
	case !owned && r.Revision == 0:
		// The caller does not know that KSIT ever installed it, and nothing on it
		// says so: it is somebody else's release of the same name.
		return nil
	case !adopted && (r.Adopted || newest.labels[LabelAdopted] == "true"):
		return uninstallError(ctx, disown(ctx, conn, owner, name, revisions), "letting go of "+doing)
	case newest.status.IsPending() && !newest.byKSIT && i.now().Sub(newest.written) < foreignPending:
		return installer.Errorf(installer.ReasonUninstallFailed, "%s is %s by somebody else's Helm", doing, newest.status)
	}
	o := i.newOperation(ctx, conn, name, newRedactor(nil))
	defer o.close()
	return uninstallError(ctx, o.uninstall(), doing)
}

// Disown takes the owner's labels off the releases, so that another Integration
// can have them. It is for what is left on the target when an Integration
// goes. Releases that are not there, or not the owner's, are passed over.
func (i *Installer) Disown(ctx context.Context, conn *cluster.Connection, owner installer.Owner, releases []v1alpha1.ReleaseStatus) error {
	for _, r := range releases {
		name := releaseName{Namespace: r.Namespace, Name: r.Name}
		doing := fmt.Sprintf("letting go of release %s in namespace %s", name.Name, name.Namespace)
		revisions, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
		if err != nil {
			return uninstallError(ctx, err, doing)
		}
		if len(revisions) == 0 {
			continue
		}
		if holder, owned := ownerOf(revisions[len(revisions)-1].labels); owned && holder != owner {
			continue
		}
		if err := disown(ctx, conn, owner, name, revisions); err != nil {
			return uninstallError(ctx, err, doing)
		}
	}
	return nil
}

// disown takes the owner's labels off all revisions: a rollback to one brings
// back its labels.
func disown(ctx context.Context, conn *cluster.Connection, owner installer.Owner, name releaseName, revisions []revision) error {
	none := map[string]string{LabelIntegration: "", LabelNamespace: "", LabelAdopted: ""}
	for _, r := range revisions {
		if holder, owned := ownerOf(r.labels); !owned || holder != owner {
			continue
		}
		if err := label(ctx, conn, name.Namespace, r.secret, none); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// uninstallError gives an error of an uninstall its reason.
func uninstallError(ctx context.Context, err error, doing string) error {
	err = classify(ctx, err, doing, nil)
	if e, ok := errors.AsType[*installer.Error](err); ok {
		switch e.Reason {
		case installer.ReasonInstallFailed, installer.ReasonNotReady:
			return &installer.Error{Reason: installer.ReasonUninstallFailed, Terminal: e.Terminal, Err: e.Err}
		}
	}
	return err
}
