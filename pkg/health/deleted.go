// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"ksit.io/ksit/pkg/cluster"
)

// WaitDeleted returns nil once none of the objects exists any more. An object of
// a kind that the target does not serve does not exist. The error is a
// *WaitError.
func WaitDeleted(ctx context.Context, conn *cluster.Connection, objs object.ObjMetadataSet) error {
	r := newReader(conn)
	left := slices.Clone(objs.Unique())
	slices.SortFunc(left, compareIDs)
	interval := firstInterval
	verdicts := map[object.ObjMetadata]verdict{}
	for {
		clear(verdicts)
		for _, o := range r.heads(ctx, left) {
			switch {
			case apierrors.IsNotFound(o.err), meta.IsNoMatchError(o.err):
			case o.err != nil:
				verdicts[o.id] = unread(conn, o.id, o.err)
			case o.object.GetDeletionTimestamp() == nil:
				verdicts[o.id] = progressing("NotDeleted", "is not deleted")
			case len(o.object.GetFinalizers()) > 0:
				verdicts[o.id] = progressing("Finalizing", "waits for its finalizers %s", fmt.Sprint(o.object.GetFinalizers()))
			default:
				verdicts[o.id] = progressing("Terminating", "is being deleted")
			}
		}
		left = slices.DeleteFunc(left, func(id object.ObjMetadata) bool { return verdicts[id].state == "" })
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &WaitError{Pending: len(left), Total: len(objs), Unhealthy: unhealthyList(verdicts, maxUnhealthy), Err: context.Cause(ctx)}
		case <-time.After(interval):
			interval = min(interval*3/2, defaultInterval)
		}
	}
}
