// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// Disown implements installer.Installer.
func (i *Installer) Disown(ctx context.Context, conn *cluster.Connection, owner installer.Owner, releases []v1alpha1.ReleaseStatus) error {
	return nil
}
