// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"context"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/preview"
)

// Previewer finds out what an Apply would do.
type Previewer interface {
	// Preview prepares an apply in all its parts, up to the first write, and says
	// what would be written, as preview.Compare takes it to the target. It writes
	// nothing. Where an Apply would fail before it writes anything, so does
	// Preview, with the same error.
	Preview(ctx context.Context, conn *cluster.Connection, req Request) (*preview.Plan, error)
}

// Historian reads what a target keeps of the releases of a request. It writes
// nothing.
type Historian interface {
	// History returns the revisions of the recorded releases, the newest first,
	// v1alpha1.MaxRevisions at most of each.
	History(ctx context.Context, conn *cluster.Connection, query Query) ([]v1alpha1.ReleaseHistory, error)
	// Manifest returns what the recorded releases consist of, without what is
	// secret. A release or revision that is not there is an *Error with
	// ReasonReleaseMissing.
	Manifest(ctx context.Context, conn *cluster.Connection, query Query) ([]v1alpha1.ReleaseManifest, error)
}

// Query says of which releases something is asked.
type Query struct {
	// Request says whose the releases are, and which values came from Secrets.
	Request Request
	// SourcesUnknown is true where the sources of the request could not be read:
	// all values then count as secret.
	SourcesUnknown bool
	// Release is the name of one; empty for all.
	Release string
	// Revision, which is for Manifest, is one of Release, or of the only one; 0
	// for what is installed.
	Revision int64
}
