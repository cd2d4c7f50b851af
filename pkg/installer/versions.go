// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"context"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Versions are those that a chart has where it comes from.
type Versions struct {
	// Match is the newest version that helmConfig.version admits.
	Match string
	// Newest is the newest version there is, pre-releases left out, whether or
	// not helmConfig.version admits it. It is empty where there are only
	// pre-releases.
	Newest string
}

// Resolver finds the versions of a chart without fetching the chart.
type Resolver interface {
	// Resolve asks where the chart comes from. An error is an *Error, with
	// ReasonChartNotFound where no version matches. Of sources it uses Access.
	Resolve(ctx context.Context, config *v1alpha1.HelmConfig, sources Sources) (Versions, error)
}
