// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// asked is what an Integration asks for on every one of its clusters.
type asked struct {
	// spec is that of an Installation, but for its target.
	spec v1alpha1.InstallationSpec
	// namespace is that of the Integration.
	namespace string
	// sourcesUnknown is true where what the spec refers to cannot be read: every
	// Installation then keeps what it has, and reports why.
	sourcesUnknown bool
	// resolving is true until it is known what the version of the chart stands
	// for.
	resolving bool
}

// ask finds out what an Integration asks for, and when to look again whether
// that has changed.
func (c *Controller) ask(ctx context.Context, integration *v1alpha1.Integration) (asked, time.Duration) {
	a := asked{spec: installationSpec(integration, ""), namespace: integration.Namespace}
	if version, known := c.Charts.pinned(integration); !known {
		a.resolving = true
	} else if version != "" {
		a.spec.AutoInstall.HelmConfig.Version = version
	}
	digest, known, again := c.sourcesDigest(ctx, integration)
	a.spec.SourcesDigest, a.sourcesUnknown = digest, !known
	return a, again
}

// on is the spec for one cluster, apart from its turn.
func (a asked) on(target string, existing *v1alpha1.Installation) v1alpha1.InstallationSpec {
	spec := *a.spec.DeepCopy()
	setTarget(&spec, a.namespace, target)
	if existing != nil {
		spec.Operation = existing.Spec.Operation
	}
	if a.sourcesUnknown && existing != nil {
		spec.SourcesDigest = existing.Spec.SourcesDigest
	}
	return spec
}
