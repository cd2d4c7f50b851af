// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration expands every Integration into Installations, one for
// each target, lets a change reach them in the order that its rollout says, and
// joins what they report into the status of the Integration.
//
// Charts does the part of that which asks chart repositories, in a pool of its
// own: what version a range stands for, and whether there is a newer one.
package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/finalizer"
	"ksit.io/ksit/pkg/controller/index"
	"ksit.io/ksit/pkg/controller/report"
	"ksit.io/ksit/pkg/controller/status"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

// Controller reconciles Integrations.
type Controller struct {
	Client        client.KsitV1alpha1Interface
	Integrations  listers.IntegrationLister
	Targets       listers.IntegrationTargetLister
	Installations *index.Installations
	// Sources reads the ConfigMaps and Secrets that Integrations refer to.
	Sources Sources
	// Charts knows what the versions of charts stand for; nil leaves that to
	// the installer, cluster by cluster.
	Charts *Charts
	// Access tells who may use which target.
	Access Access
	Events events.EventRecorder
	// Traces begins the spans of what is written to Installations; nil for none.
	Traces trace.TracerProvider

	digests  digests
	writes   writes
	verdicts verdicts
}

// Reconcile brings the Installations of an Integration in line with its spec.
// It is called again whenever the Integration, a target of its namespace or
// one of its Installations changes.
func (c *Controller) Reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	integration, err := c.Integrations.Integrations(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.digests.forget(key)
		c.verdicts.forget(key)
		c.writes.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading Integration %s: %w", key, err)
	}
	there, err := c.installationsOf(integration)
	if err != nil {
		return 0, err
	}
	if integration.DeletionTimestamp != nil {
		return c.finish(ctx, integration, there.own)
	}
	if !c.writes.seen(key, there.own) {
		// To plan by what was true before the last step would take it twice.
		return settle, nil
	}
	// Before the first Installation: nothing that was installed may be left behind
	// by an Integration that goes unnoticed.
	integration, err = finalizer.Add(ctx, c.Client.Integrations(key.Namespace), integration, v1alpha1.FinalizerInstallations)
	if err != nil || integration == nil {
		return 0, err
	}
	return c.advance(ctx, integration, there)
}

// advance takes an Integration that is to stay one step further.
func (c *Controller) advance(ctx context.Context, integration *v1alpha1.Integration, there installations) (time.Duration, error) {
	wanted, err := selectTargets(integration, c.Targets)
	if err != nil {
		return 0, err
	}
	if wanted, err = c.permit(ctx, integration, wanted, there.own); err != nil {
		return 0, err
	}
	asked, again := c.ask(ctx, integration)
	progress, err := c.progress(integration, wanted, there, asked)
	if err != nil {
		return 0, err
	}
	after, err := c.expand(ctx, integration, wanted, there.own, asked, progress)
	if err != nil {
		return 0, err
	}
	return soonest(soonest(again, wanted.rights.again()), progress.plan.After), c.report(ctx, integration, wanted, after, progress)
}

// installations are those that bear the name of an Integration, by target.
type installations struct {
	// own are those of the Integration itself.
	own map[string]*v1alpha1.Installation
	// former are targets that an earlier Integration of the same name has not
	// left yet: nothing can be made there before it has.
	former map[string]bool
}

func (c *Controller) installationsOf(integration *v1alpha1.Integration) (installations, error) {
	list, err := c.Installations.OfIntegration(types.NamespacedName{Namespace: integration.Namespace, Name: integration.Name})
	if err != nil {
		return installations{}, err
	}
	there := installations{own: make(map[string]*v1alpha1.Installation, len(list)), former: map[string]bool{}}
	for _, installation := range list {
		if metav1.IsControlledBy(installation, integration) {
			there.own[installation.TargetName()] = installation
		} else {
			there.former[installation.TargetName()] = true
		}
	}
	return there, nil
}

// report writes the status of the Integration, and an event when its phase
// changed.
func (c *Controller) report(ctx context.Context, integration *v1alpha1.Integration, wanted selection, installations map[string]*v1alpha1.Installation, progress progress) error {
	var before v1alpha1.Phase
	written, err := status.Write(ctx, c.Client.Integrations(integration.Namespace), integration, func(i *v1alpha1.Integration) {
		// The cache may lag: what is stored says whether this is news.
		before = i.Status.Phase
		aggregate(i, wanted, slices.Collect(maps.Values(installations)), progress)
	})
	if err != nil || written == nil {
		return err
	}
	c.tellOfRights(integration, written)
	if after := written.Status.Phase; after != before {
		kind := "Normal"
		if status.Worse(after, v1alpha1.PhaseUninstalling) < 0 {
			kind = "Warning"
		}
		c.Events.Eventf(written, nil, kind, string(after), "Reconcile", "%s", status.Shorten(written.Status.Message, status.MaxMessage))
		logPhase(ctx, before, written)
	}
	return nil
}

// logPhase says that the phase of an Integration changed.
func logPhase(ctx context.Context, before v1alpha1.Phase, integration *v1alpha1.Integration) {
	s := &integration.Status
	fields := []any{"integration", integration.Name, "namespace", integration.Namespace, "type", string(integration.Spec.Type),
		"phase", string(s.Phase), "before", string(before), "targets", s.Targets, "healthy", s.Healthy, "failed", s.Failed}
	message := status.Shorten(s.Message, status.MaxMessage)
	switch {
	case s.Phase == v1alpha1.PhaseRunning:
		report.Good(ctx, "Integration is "+string(s.Phase), append(fields, "message", message)...)
	case s.Phase == v1alpha1.PhaseFailed, s.Phase == v1alpha1.PhaseDegraded, s.Phase == v1alpha1.PhaseUnknown:
		report.Bad(ctx, message, "Integration is "+string(s.Phase), fields...)
	default:
		report.Plain(ctx, "Integration is "+string(s.Phase), append(fields, "message", message)...)
	}
}

// soonest returns the shorter of two times, of which 0 is never.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// ignoreGone wraps an error, except one that says that the object is gone or
// is no longer the one that was meant: then its event brings us back.
func ignoreGone(err error, format string, args ...any) error {
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
