// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// Resolve implements installer.Resolver.
func (i *Installer) Resolve(_ context.Context, _ *v1alpha1.HelmConfig, _ installer.Sources) (installer.Versions, error) {
	return installer.Versions{}, installer.Errorf(installer.ReasonChartNotFound, "not resolved")
}
