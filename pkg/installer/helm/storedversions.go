// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/chart"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// mayUpdateCRDs fails when a CRD of crds/ would lose a version that is in use,
// by a policy that updates those that are there. The CRDs in templates are known
// once they are rendered.
func mayUpdateCRDs(ctx context.Context, conn *cluster.Connection, chrt *chart.Chart, policy v1alpha1.CRDPolicy) error {
	if policy != v1alpha1.CRDPolicyCreateReplace {
		return nil
	}
	crds, err := chartCRDs(chrt)
	if err != nil {
		return err
	}
	return keepStoredVersions(ctx, conn, crds)
}

// keepStoredVersions fails when one of the CRDs would lose a version that is in
// use.
func keepStoredVersions(ctx context.Context, conn *cluster.Connection, crds []crd) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(crdParallel)
	for i := range crds {
		var versions []string
		for _, v := range crds[i].Spec.Versions {
			versions = append(versions, v.Name)
		}
		group.Go(func() error { return installer.KeepsStoredVersions(ctx, conn, crds[i].Metadata.Name, versions) })
	}
	return group.Wait()
}
