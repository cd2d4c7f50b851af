// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/pkg/installer"
)

// What is in this file is for those who answer questions about an Installation
// as well: they ask the target for the same as the controller does.

// Installers are the ways of installing.
type Installers = map[v1alpha1.InstallMethod]installer.Installer

// Probed is what a probe of an Installation looks at. A release that is not
// there any more is an *installer.Error with ReasonReleaseMissing.
func Probed(ctx context.Context, connection *cluster.Connection, installers Installers, i *v1alpha1.Installation) (health.Input, error) {
	input := health.Input{Type: i.Spec.Type, Namespace: namespaceOf(i)}
	method, known := installers[methodOf(i)]
	if !installs(i) || !known || len(i.Status.Releases) == 0 {
		return input, nil
	}
	var err error
	input.Objects, err = method.Objects(ctx, connection, i.Status.Releases)
	return input, err
}

// Wanted is what the spec of an Installation asks for on its target, but for
// what it refers to on the host cluster.
func Wanted(i *v1alpha1.Installation, target *v1alpha1.IntegrationTarget) installer.Request {
	return request(i, target)
}

// Method is the way in which an Installation is installed, and whether KSIT
// installs it at all, rather than only probing.
func Method(i *v1alpha1.Installation) (method v1alpha1.InstallMethod, installed bool) {
	return methodOf(i), installs(i)
}
