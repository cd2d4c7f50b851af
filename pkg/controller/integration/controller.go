// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration expands every Integration into Installations, one for
// each target, and joins what they report into the status of the Integration.
package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/index"
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
	Events        events.EventRecorder
}

// Reconcile brings the Installations of an Integration in line with its spec.
// It is called again whenever the Integration, a target of its namespace or
// one of its Installations changes.
func (c *Controller) Reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	integration, err := c.Integrations.Integrations(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading Integration %s: %w", key, err)
	}
	existing, err := c.installationsOf(integration)
	if err != nil {
		return 0, err
	}
	if integration.DeletionTimestamp != nil {
		return 0, c.finish(ctx, integration, existing)
	}
	if !slices.Contains(integration.Finalizers, v1alpha1.FinalizerInstallations) {
		// Before the first Installation: nothing that was installed may be
		// left behind by an Integration that goes unnoticed.
		changed := integration.DeepCopy()
		changed.Finalizers = append(changed.Finalizers, v1alpha1.FinalizerInstallations)
		updated, err := c.Client.Integrations(key.Namespace).Update(ctx, changed, metav1.UpdateOptions{})
		if err != nil {
			return 0, ignoreGone(err, "adding the finalizer to Integration %s", key)
		}
		integration = updated
	}
	wanted, err := selectTargets(integration, c.Targets)
	if err != nil {
		return 0, err
	}
	kept, err := c.expand(ctx, integration, wanted, existing)
	if err != nil {
		return 0, err
	}
	return 0, c.report(ctx, integration, wanted, kept)
}

// installationsOf leaves out the Installations of an earlier Integration of
// the same name, which are on their way out.
func (c *Controller) installationsOf(integration *v1alpha1.Integration) (map[string]*v1alpha1.Installation, error) {
	list, err := c.Installations.OfIntegration(types.NamespacedName{Namespace: integration.Namespace, Name: integration.Name})
	if err != nil {
		return nil, err
	}
	byTarget := make(map[string]*v1alpha1.Installation, len(list))
	for _, installation := range list {
		if metav1.IsControlledBy(installation, integration) {
			byTarget[installation.Spec.Target] = installation
		}
	}
	return byTarget, nil
}

// expand creates, updates and deletes Installations, and returns those that
// there are then. One that fails does not keep the others.
func (c *Controller) expand(ctx context.Context, integration *v1alpha1.Integration, wanted selection, existing map[string]*v1alpha1.Installation) (map[string]*v1alpha1.Installation, error) {
	after := maps.Clone(existing)
	var failed error
	for _, target := range wanted.targets {
		installation, err := c.ensure(ctx, integration, target, existing[target])
		if err != nil && failed == nil {
			failed = err
		}
		if installation != nil {
			after[target] = installation
		}
	}
	for target, installation := range existing {
		if slices.Contains(wanted.targets, target) || installation.DeletionTimestamp != nil || wanted.keep(target) {
			continue
		}
		if err := c.delete(ctx, installation); err != nil && failed == nil {
			failed = err
		}
		klog.FromContext(ctx).Info("Target was dropped", "target", target)
		c.Events.Eventf(integration, installation, "Normal", "TargetDropped", "Uninstall",
			"%s is no longer a target: %s", target, leaving(integration))
	}
	return after, failed
}

func (c *Controller) ensure(ctx context.Context, integration *v1alpha1.Integration, target string, existing *v1alpha1.Installation) (*v1alpha1.Installation, error) {
	installations := c.Client.Installations(integration.Namespace)
	if existing == nil {
		made := newInstallation(integration, target)
		created, err := installations.Create(ctx, made, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			// Either the cache lags, and its event brings us back, or the one
			// of a deleted Integration of this name is still uninstalling.
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("creating Installation %s/%s: %w", made.Namespace, made.Name, err)
		}
		return created, nil
	}
	spec := installationSpec(integration, target)
	if existing.DeletionTimestamp != nil || equality.Semantic.DeepEqual(existing.Spec, spec) {
		return existing, nil
	}
	changed := existing.DeepCopy()
	changed.Spec = spec
	updated, err := installations.Update(ctx, changed, metav1.UpdateOptions{})
	if err != nil {
		return existing, ignoreGone(err, "updating Installation %s/%s", existing.Namespace, existing.Name)
	}
	return updated, nil
}

func (c *Controller) delete(ctx context.Context, installation *v1alpha1.Installation) error {
	err := c.Client.Installations(installation.Namespace).Delete(ctx, installation.Name, metav1.DeleteOptions{
		Preconditions: metav1.NewUIDPreconditions(string(installation.UID)),
	})
	return ignoreGone(err, "deleting Installation %s/%s", installation.Namespace, installation.Name)
}

// finish takes an Integration that is being deleted to its end: its
// Installations go first, each after its uninstall.
func (c *Controller) finish(ctx context.Context, integration *v1alpha1.Integration, existing map[string]*v1alpha1.Installation) error {
	if !slices.Contains(integration.Finalizers, v1alpha1.FinalizerInstallations) {
		return nil
	}
	var failed error
	for target, installation := range existing {
		// A deletionPolicy that is set to Orphan now still counts: it is the
		// way out when a cluster is gone for good.
		spec := installation.Spec
		spec.AutoInstall = integration.Spec.AutoInstall
		if !equality.Semantic.DeepEqual(installation.Spec, spec) {
			changed := installation.DeepCopy()
			changed.Spec = *spec.DeepCopy()
			updated, err := c.Client.Installations(installation.Namespace).Update(ctx, changed, metav1.UpdateOptions{})
			if err != nil {
				failed = ignoreGone(err, "updating Installation %s/%s", installation.Namespace, installation.Name)
				continue
			}
			installation = updated
			existing[target] = updated
		}
		if installation.DeletionTimestamp == nil {
			if err := c.delete(ctx, installation); err != nil {
				failed = err
			}
		}
	}
	if failed != nil {
		return failed
	}
	if len(existing) > 0 {
		return c.report(ctx, integration, selection{}, existing)
	}
	changed := integration.DeepCopy()
	changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == v1alpha1.FinalizerInstallations })
	_, err := c.Client.Integrations(integration.Namespace).Update(ctx, changed, metav1.UpdateOptions{})
	return ignoreGone(err, "removing the finalizer of Integration %s/%s", integration.Namespace, integration.Name)
}

// report writes the status of the Integration, and an event when its phase
// changed.
func (c *Controller) report(ctx context.Context, integration *v1alpha1.Integration, wanted selection, installations map[string]*v1alpha1.Installation) error {
	before := integration.Status.Phase
	written, err := status.Write(ctx, c.Client.Integrations(integration.Namespace), integration, func(i *v1alpha1.Integration) {
		aggregate(i, wanted, slices.Collect(maps.Values(installations)))
	})
	if err != nil || written == nil {
		return err
	}
	if after := written.Status.Phase; after != before {
		kind := "Normal"
		if status.Worse(after, v1alpha1.PhaseUninstalling) < 0 {
			kind = "Warning"
		}
		c.Events.Eventf(written, nil, kind, string(after), "Reconcile", "%s", status.Shorten(written.Status.Message, status.MaxMessage))
	}
	return nil
}

func leaving(integration *v1alpha1.Integration) string {
	if a := integration.Spec.AutoInstall; a != nil && a.DeletionPolicy == v1alpha1.DeletionPolicyOrphan {
		return "what is installed stays, as deletionPolicy says"
	}
	return "what KSIT installed there is uninstalled"
}

// ignoreGone wraps an error, except one that says that the object is gone or
// is no longer the one that was meant: then its event brings us back.
func ignoreGone(err error, format string, args ...any) error {
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
