// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/finalizer"
	"ksit.io/ksit/pkg/tracing"
)

// leftOver is when an Integration that goes is looked at again, should an
// Installation of its be there that the cache did not show yet.
const leftOver = 2 * time.Second

// expand creates, updates and deletes Installations, and returns those that
// there are then. One that fails does not keep the others.
func (c *Controller) expand(ctx context.Context, integration *v1alpha1.Integration, wanted selection, existing map[string]*v1alpha1.Installation,
	asked asked, progress progress) (map[string]*v1alpha1.Installation, error) {
	after := maps.Clone(existing)
	var failed error
	for _, target := range wanted.targets {
		installation, err := c.ensure(ctx, integration, target, existing[target], asked, progress)
		if err != nil && failed == nil {
			failed = err
		}
		if installation != nil {
			after[target] = installation
		}
	}
	for _, target := range slices.Sorted(maps.Keys(existing)) {
		if wanted.has(target) {
			continue
		}
		installation, err := c.leave(ctx, integration, wanted, existing[target])
		if err != nil && failed == nil {
			failed = err
		}
		after[target] = installation
	}
	c.writes.expect(integration, existing, after)
	return after, failed
}

// ensure brings one Installation to what its turn in the rollout lets it have.
func (c *Controller) ensure(ctx context.Context, integration *v1alpha1.Integration, target string, existing *v1alpha1.Installation,
	asked asked, progress progress) (*v1alpha1.Installation, error) {
	spec := asked.on(target, existing)
	if waits, must := progress.plan.Waits[target]; must {
		spec = heldBack(spec, existing, waits)
	}
	if existing != nil {
		if progress.resolving {
			// What the version stands for comes in a moment; all else need not wait.
			spec = keepWhatRuns(spec, existing.Spec)
		}
		return c.update(ctx, integration, existing, spec)
	}
	if progress.resolving {
		return nil, nil
	}
	made := newInstallation(integration, spec)
	ctx, span := c.trace(ctx, integration, made, tracing.Caused)
	defer span.End()
	created, err := c.Client.Installations(integration.Namespace).Create(ctx, made, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		// Either the cache lags, and its event brings us back, or the one
		// of a deleted Integration of this name is still uninstalling, and its
		// end does.
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("creating Installation %s/%s: %w", made.Namespace, made.Name, err)
	}
	return created, nil
}

// leave deletes the Installation on a target that is no longer wanted, unless
// it is kept. What does not touch the target counts there too: a deletionPolicy
// that is set to Orphan now is the way out when a cluster is gone for good.
func (c *Controller) leave(ctx context.Context, integration *v1alpha1.Integration, wanted selection, installation *v1alpha1.Installation) (*v1alpha1.Installation, error) {
	target := installation.TargetName()
	spec := keepWhatRuns(installationSpec(integration, target), installation.Spec)
	updated, err := c.update(ctx, integration, installation, spec)
	if err != nil || updated.DeletionTimestamp != nil {
		return updated, err
	}
	keep, err := c.keeps(integration, wanted, target)
	if err != nil || keep {
		return updated, err
	}
	if err := c.delete(ctx, updated); err != nil {
		return updated, err
	}
	klog.FromContext(ctx).Info("Target was dropped", "target", target)
	c.Events.Eventf(integration, updated, "Normal", "TargetDropped", "Uninstall", "%s is no longer a target: %s", target, leaving(integration))
	return updated, nil
}

// keeps tells whether an Installation stays although its target is not wanted.
// Whatever makes a selector match less all of a sudden, a list that is empty or
// objects that were lost, is no order to uninstall: only a target that is there
// and does not match is.
func (c *Controller) keeps(integration *v1alpha1.Integration, wanted selection, target string) (bool, error) {
	if wanted.selectorMatchesNone {
		return true, nil
	}
	if integration.Spec.TargetSelector == nil || orphans(integration) || v1alpha1.ParseTarget(integration.Namespace, target).Namespace != integration.Namespace {
		return false, nil
	}
	there, err := c.target(integration, target)
	return there == nil, err
}

func (c *Controller) update(ctx context.Context, integration *v1alpha1.Integration, existing *v1alpha1.Installation, spec v1alpha1.InstallationSpec) (*v1alpha1.Installation, error) {
	if equality.Semantic.DeepEqual(existing.Spec, spec) {
		return existing, nil
	}
	changed := existing.DeepCopy()
	changed.Spec = spec
	ctx, span := c.trace(ctx, integration, changed, causeOf(existing.Spec, spec))
	defer span.End()
	updated, err := c.Client.Installations(existing.Namespace).Update(ctx, changed, metav1.UpdateOptions{})
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
func (c *Controller) finish(ctx context.Context, integration *v1alpha1.Integration, existing map[string]*v1alpha1.Installation) (time.Duration, error) {
	if !finalizer.Has(integration, v1alpha1.FinalizerInstallations) {
		return 0, nil
	}
	var failed error
	for target, installation := range existing {
		updated, err := c.update(ctx, integration, installation, keepWhatRuns(installationSpec(integration, target), installation.Spec))
		existing[target] = updated
		if err == nil && updated.DeletionTimestamp == nil {
			err = c.delete(ctx, updated)
		}
		if err != nil {
			failed = err
		}
	}
	if failed != nil {
		return 0, failed
	}
	if len(existing) > 0 {
		return 0, c.report(ctx, integration, selection{}, existing, progress{})
	}
	left, err := c.unseen(ctx, integration)
	if err != nil || left {
		return leftOver, err
	}
	_, err = finalizer.Remove(ctx, c.Client.Integrations(integration.Namespace), integration, v1alpha1.FinalizerInstallations)
	return 0, err
}

// unseen tells whether there is an Installation that the cache does not show
// yet: nobody would uninstall what it installs.
func (c *Controller) unseen(ctx context.Context, integration *v1alpha1.Integration) (bool, error) {
	list, err := c.Client.Installations(integration.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelIntegration + "=" + integration.Name})
	if err != nil {
		return false, fmt.Errorf("listing the Installations of Integration %s/%s: %w", integration.Namespace, integration.Name, err)
	}
	return slices.ContainsFunc(list.Items, func(i v1alpha1.Installation) bool { return metav1.IsControlledBy(&i, integration) }), nil
}

func orphans(integration *v1alpha1.Integration) bool {
	install := integration.Spec.AutoInstall
	return install != nil && install.DeletionPolicy == v1alpha1.DeletionPolicyOrphan
}

func leaving(integration *v1alpha1.Integration) string {
	if orphans(integration) {
		return "what is installed stays, as deletionPolicy says"
	}
	return "what KSIT installed there is uninstalled"
}
