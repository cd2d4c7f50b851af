// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package install joins the versions of the ksit.io API into one scheme.
package install

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// AddToScheme adds the internal version and every served version to scheme,
// with the order in which clients should prefer them.
func AddToScheme(scheme *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{ksit.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("adding %s to the scheme: %w", ksit.GroupName, err)
		}
	}
	if err := scheme.SetVersionPriority(v1alpha1.SchemeGroupVersion); err != nil {
		return fmt.Errorf("ordering the versions of %s: %w", ksit.GroupName, err)
	}
	return nil
}
