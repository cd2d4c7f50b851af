// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// Rollback implements installer.Installer.
func (i *Installer) Rollback(ctx context.Context, conn *cluster.Connection, req installer.Request) (installer.Result, error) {
	return installer.Result{Releases: req.Recorded}, installer.Terminalf(installer.ReasonNothingToRollBack, "no revision of it went through")
}
