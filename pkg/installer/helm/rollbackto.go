// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// rollBackTo brings back the one revision that was asked for.
func (i *Installer) rollBackTo(ctx context.Context, conn *cluster.Connection, req installer.Request, steps []*step, dropped []v1alpha1.ReleaseStatus) (installer.Result, error) {
	s, err := chosen(steps, req.To.Release)
	if err != nil {
		return installer.Result{Releases: req.Recorded}, err
	}
	to := installer.Revision{Release: s.name.Name, Number: req.To.Number}
	way := wayBack{}
	revisions, err := listRevisions(ctx, conn, s.name.Namespace, releaseQuery(s.name.Name))
	if err == nil {
		way, err = findWayTo(revisions, s.wish, int(req.To.Number), i.now())
	}
	if err != nil {
		return installer.Result{Releases: req.Recorded, To: to}, installer.RollbackError(classify(ctx, err, s.doing(), s.redact))
	}
	to.Number = int64(way.to)
	changed := len(way.revisions) > 0
	if changed {
		if err = i.bringBack(ctx, conn, s, way); err == nil {
			err = markHeld(ctx, conn, s.name, req.Hold, to)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", s.doing(), err)
		}
	}
	result := i.result(ctx, conn, req, steps, dropped, changed)
	result.To = to
	return result, installer.RollbackError(err)
}

// chosen is the release of a name; without one, the last, which is the one that
// the user named.
func chosen(steps []*step, name string) (*step, error) {
	if name == "" {
		return steps[len(steps)-1], nil
	}
	var names []string
	for _, s := range steps {
		if s.name.Name == name {
			return s, nil
		}
		names = append(names, s.name.Name)
	}
	return nil, installer.Terminalf(installer.ReasonRevisionNotFound, "the release %s is none of this Installation: there are %s", name, strings.Join(names, ", "))
}

// findWayTo says how a release gets to a revision; 0 is the last one before the
// newest that went through. The way has no revisions where it is there already.
func findWayTo(revisions []revision, w wish, to int, now time.Time) (wayBack, error) {
	if len(revisions) == 0 {
		return wayBack{}, installer.Terminalf(installer.ReasonRevisionNotFound, "the release is not on the target")
	}
	newest := revisions[len(revisions)-1]
	owner, owned := ownerOf(newest.labels)
	switch {
	case owned && owner != w.owner:
		return wayBack{}, installer.Terminalf(installer.ReasonReleaseConflict, "the release belongs to Integration %s", owner)
	case !owned && !w.recorded:
		return wayBack{}, installer.Terminalf(installer.ReasonReleaseConflict, "the release was not made by KSIT")
	case newest.status == release.StatusUninstalled, newest.status == release.StatusUninstalling:
		return wayBack{}, installer.Terminalf(installer.ReasonRevisionNotFound, "the release is %s", newest.status)
	}
	way, err := wayFrom(revisions, w, now)
	if err != nil {
		return wayBack{}, err
	}
	if to == 0 {
		good, found := lastGood(revisions[:len(revisions)-1])
		if !found {
			return wayBack{}, installer.Terminalf(installer.ReasonRevisionNotFound,
				"no revision before the present one went through: there are %s", listed(revisions))
		}
		way.to = good.number
		return way, nil
	}
	n := slices.IndexFunc(revisions, func(r revision) bool { return r.number == to })
	switch {
	case n < 0:
		return wayBack{}, installer.Terminalf(installer.ReasonRevisionNotFound, "there is no revision %d: there are %s", to, listed(revisions))
	case revisions[n].unfinished():
		return wayBack{}, installer.Terminalf(installer.ReasonRevisionNotFound,
			"revision %d did not come to its end, it is %s: there are %s", to, revisions[n].status, listed(revisions))
	case to == newest.number && newest.status == release.StatusDeployed:
		return wayBack{to: to}, nil
	}
	way.to = to
	return way, nil
}

// listed names revisions with what became of each.
func listed(revisions []revision) string {
	parts := make([]string, 0, len(revisions))
	for _, r := range revisions {
		parts = append(parts, strconv.Itoa(r.number)+" ("+string(r.status)+")")
	}
	return strings.Join(parts, ", ")
}
