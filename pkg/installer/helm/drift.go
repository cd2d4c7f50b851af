// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// Drift implements installer.Installer.
func (i *Installer) Drift(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck) (installer.Drift, error) {
	return installer.Drift{}, nil
}

// Correct implements installer.Installer.
func (i *Installer) Correct(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck) (installer.Drift, error) {
	return installer.Drift{}, nil
}
