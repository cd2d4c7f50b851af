// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/installation"
	"ksit.io/ksit/pkg/installer"
)

const (
	// readTimeout bounds the reading of a history or of manifests: release
	// Secrets of large charts are megabytes each.
	readTimeout = 30 * time.Second
	// diffTimeout bounds a diff: the aggregator gives up after a minute.
	diffTimeout = 55 * time.Second
	// maxDiffs bounds the diffs that are made at once: each renders a chart, and
	// takes every object of it through the target.
	maxDiffs = 4
	// diffRetry is after how many seconds a diff that found no place is tried
	// again.
	diffRetry = 5
)

// Sources reads on the host cluster what an AutoInstall refers to.
type Sources interface {
	Read(ctx context.Context, namespace string, install *v1alpha1.AutoInstall) (installer.Sources, error)
}

// Installations answers what is asked about Installations. It is safe for
// concurrent use, and keeps nothing between two questions.
type Installations struct {
	Targets    *Targets
	Installers installation.Installers
	Sources    Sources

	// diffs has a token for each diff under way.
	diffs chan struct{}
}

// NewInstallations answers by way of targets.
func NewInstallations(targets *Targets, installers installation.Installers, sources Sources) *Installations {
	return &Installations{Targets: targets, Installers: installers, Sources: sources, diffs: make(chan struct{}, maxDiffs)}
}

// History reads the revisions of every release.
func (i *Installations) History(ctx context.Context, inst *v1alpha1.Installation) (*v1alpha1.InstallationHistory, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	history := &v1alpha1.InstallationHistory{ObjectMeta: metav1.ObjectMeta{Namespace: inst.Namespace, Name: inst.Name}}
	asked, err := i.ask(ctx, inst)
	if err != nil || asked == nil {
		return history, err
	}
	history.Releases, err = asked.method.History(ctx, asked.connection, i.query(ctx, inst, asked))
	return history, explain(ctx, err, "reading the history")
}

// Manifest reads what every release, or one of them, consists of.
func (i *Installations) Manifest(ctx context.Context, inst *v1alpha1.Installation, options *v1alpha1.InstallationManifestOptions) (*v1alpha1.InstallationManifest, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := refuseOptions(inst, options); err != nil {
		return nil, err
	}
	manifest := &v1alpha1.InstallationManifest{ObjectMeta: metav1.ObjectMeta{Namespace: inst.Namespace, Name: inst.Name}}
	asked, err := i.ask(ctx, inst)
	if err != nil || asked == nil {
		return manifest, err
	}
	query := i.query(ctx, inst, asked)
	query.Release, query.Revision = options.Release, options.Revision
	manifest.Releases, err = asked.method.Manifest(ctx, asked.connection, query)
	if reason := installer.ReasonOf(err); err != nil && reason == installer.ReasonReleaseMissing {
		return nil, notFound(inst, err)
	}
	return manifest, explain(ctx, err, "reading the manifests")
}

// query asks about all releases. What came from Secrets can only be told by
// reading them: where that fails, everything counts as secret.
func (i *Installations) query(ctx context.Context, inst *v1alpha1.Installation, asked *asked) installer.Query {
	query := installer.Query{Request: asked.request}
	var err error
	if query.Request.Sources, err = i.Sources.Read(ctx, inst.Namespace, inst.Spec.AutoInstall); err != nil {
		query.SourcesUnknown = true
	}
	return query
}

// refuseOptions refuses what names no release of an Installation.
func refuseOptions(inst *v1alpha1.Installation, options *v1alpha1.InstallationManifestOptions) error {
	releases := inst.Status.Releases
	switch {
	case options.Revision < 0:
		return apierrors.NewBadRequest("revision must be a number greater than zero")
	case options.Release == "" && options.Revision != 0 && len(releases) > 1:
		return apierrors.NewBadRequest("there are several releases: name the one that revision is of by release")
	case options.Release == "":
		return nil
	}
	for _, r := range releases {
		if r.Name == options.Release {
			return nil
		}
	}
	return notFound(inst, fmt.Errorf("it has no release %q", options.Release))
}

// notFound says what an Installation does not have.
func notFound(inst *v1alpha1.Installation, err error) error {
	status := apierrors.NewNotFound(v1alpha1.Resource("installations"), inst.Name)
	status.ErrStatus.Message = fmt.Sprintf("Installation %s/%s: %v", inst.Namespace, inst.Name, err)
	return status
}

// method is a way of installing that can be asked.
type method interface {
	installer.Historian
	installer.Previewer
}

// asked is whom to ask about an Installation, and for what.
type asked struct {
	target     *v1alpha1.IntegrationTarget
	connection *cluster.Connection
	method     method
	request    installer.Request
}

// ask connects to the target of an Installation. It returns nil where KSIT
// installs nothing.
func (i *Installations) ask(ctx context.Context, inst *v1alpha1.Installation) (*asked, error) {
	name, installs := installation.Method(inst)
	if !installs {
		return nil, nil
	}
	way, ok := i.Installers[name].(method)
	if !ok {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("the method %s is not known to this KSIT", name))
	}
	target, connection, err := i.Targets.Of(ctx, inst)
	if err != nil {
		return nil, err
	}
	return &asked{target: target, connection: connection, method: way, request: installation.Wanted(inst, target)}, nil
}
