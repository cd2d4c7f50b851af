// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/dependency"
)

// cycle says which Integrations wait for each other in a circle; empty for none.
// Admission refuses cycles, but cannot see two requests that make one at the
// same moment.
func (c *Controller) cycle(integration *v1alpha1.Integration) (string, error) {
	path, err := dependency.Cycle(integration.Name, before(integration), func(name string) ([]string, error) {
		other, err := c.Integrations.Integrations(integration.Namespace).Get(name)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading Integration %s/%s: %w", integration.Namespace, name, err)
		}
		return before(other), nil
	})
	if errors.Is(err, dependency.ErrTooMany) {
		return "", nil
	}
	return path.String(), err
}

func before(integration *v1alpha1.Integration) []string {
	names := make([]string, 0, len(integration.Spec.DependsOn))
	for _, d := range integration.Spec.DependsOn {
		names = append(names, d.Name)
	}
	return names
}
