// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

// selection is the set of targets that an Integration shall be on.
type selection struct {
	// targets are the names of the IntegrationTargets, sorted; namespace/name for
	// those of another namespace.
	targets []string
	// selected are those that the selector alone brought.
	selected map[string]bool
	// selectorMatchesNone is true when the selector matches no target. It then
	// takes nothing away: a selector that suddenly matches nothing is more
	// often a mistake than an order to uninstall everywhere.
	selectorMatchesNone bool
	// rights are those that are no targets because they may not be used, and
	// those that may be no longer.
	rights rights
}

func (s selection) has(target string) bool {
	_, found := slices.BinarySearch(s.targets, target)
	return found
}

// selectTargets joins the list and the selector. A target that is being
// deleted is no longer selected, but stays where it is named.
func selectTargets(integration *v1alpha1.Integration, targets listers.IntegrationTargetLister) (selection, error) {
	names := make(map[string]bool)
	for _, name := range integration.Spec.TargetClusters {
		names[v1alpha1.TargetName(integration.Namespace, v1alpha1.ParseTarget(integration.Namespace, name))] = true
	}
	result := selection{selected: map[string]bool{}}
	if integration.Spec.TargetSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(integration.Spec.TargetSelector)
		if err != nil {
			return selection{}, fmt.Errorf("reading spec.targetSelector of Integration %s/%s: %w", integration.Namespace, integration.Name, err)
		}
		matching, err := targets.IntegrationTargets(integration.Namespace).List(selector)
		if err != nil {
			return selection{}, fmt.Errorf("selecting the targets of Integration %s/%s: %w", integration.Namespace, integration.Name, err)
		}
		result.selectorMatchesNone = len(matching) == 0
		for _, target := range matching {
			if target.DeletionTimestamp == nil && !names[target.Name] {
				names[target.Name], result.selected[target.Name] = true, true
			}
		}
	}
	result.targets = slices.Sorted(maps.Keys(names))
	return result, nil
}

// target returns an IntegrationTarget by the name that an Integration calls it
// by; nil where there is none.
func (c *Controller) target(integration *v1alpha1.Integration, name string) (*v1alpha1.IntegrationTarget, error) {
	key := v1alpha1.ParseTarget(integration.Namespace, name)
	target, err := c.Targets.IntegrationTargets(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading IntegrationTarget %s: %w", key, err)
	}
	return target, nil
}

// newInstallation makes the Installation of an Integration with a spec. It has
// its finalizer from the start, so that there is no moment at which it could
// be deleted without an uninstall.
func newInstallation(integration *v1alpha1.Integration, spec v1alpha1.InstallationSpec) *v1alpha1.Installation {
	owner := metav1.NewControllerRef(integration, v1alpha1.SchemeGroupVersion.WithKind("Integration"))
	installation := &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: integration.Namespace,
			Labels: map[string]string{
				v1alpha1.LabelIntegration: integration.Name,
				v1alpha1.LabelTarget:      spec.Target,
				v1alpha1.LabelType:        string(integration.Spec.Type),
			},
			OwnerReferences: []metav1.OwnerReference{*owner},
			Finalizers:      []string{v1alpha1.FinalizerUninstall},
		},
		Spec: spec,
	}
	installation.Name = v1alpha1.InstallationName(integration.Name, integration.Namespace, installation.TargetKey())
	if spec.TargetNamespace != "" {
		installation.Labels[v1alpha1.LabelTargetNamespace] = spec.TargetNamespace
	}
	return installation
}

// setTarget enters a target by the name that a namespace calls it by.
func setTarget(spec *v1alpha1.InstallationSpec, namespace, name string) {
	key := v1alpha1.ParseTarget(namespace, name)
	spec.Target, spec.TargetNamespace = key.Name, ""
	if key.Namespace != namespace {
		spec.TargetNamespace = key.Namespace
	}
}

func installationSpec(integration *v1alpha1.Integration, target string) v1alpha1.InstallationSpec {
	spec := integration.Spec.DeepCopy()
	result := v1alpha1.InstallationSpec{
		Integration:      integration.Name,
		Type:             spec.Type,
		Enabled:          spec.Enabled == nil || *spec.Enabled,
		AutoInstall:      spec.AutoInstall,
		Config:           spec.Config,
		ReconcileRequest: integration.Annotations[v1alpha1.AnnotationReconcile],
		DependsOn:        spec.DependsOn,
	}
	setTarget(&result, integration.Namespace, target)
	return result
}
