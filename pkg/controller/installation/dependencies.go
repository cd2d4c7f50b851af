// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// blockedBy returns what an Installation waits for before anything new is
// installed: the first of the Integrations it depends on that is not Running on
// its target. It is empty when there is none.
func (c *Controller) blockedBy(i *v1alpha1.Installation) (string, error) {
	for _, dependency := range i.Spec.DependsOn {
		name := v1alpha1.InstallationName(dependency.Name, i.Namespace, i.TargetKey())
		other, err := c.Installations.Installations(i.Namespace).Get(name)
		if apierrors.IsNotFound(err) {
			return fmt.Sprintf("waits for Integration %s, which is not on target %s: add the target there, or take it out of dependsOn",
				dependency.Name, i.TargetName()), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading Installation %s/%s: %w", i.Namespace, name, err)
		}
		if !other.Runs() {
			return fmt.Sprintf("waits for Integration %s to be Running on target %s: it is %s",
				dependency.Name, i.TargetName(), orPending(other.Status.Phase)), nil
		}
	}
	return "", nil
}
