// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"time"

	"helm.sh/helm/v3/pkg/release"

	"ksit.io/ksit/pkg/installer"
)

// wayBack is how a release gets back to its last good revision.
type wayBack struct {
	// to is the number of that revision; 0 where nothing is to be done.
	to int
	// recover is true where the newest revision is pending and its process is
	// dead: it is marked failed before.
	recover bool
	// adopted is true where the release was there before KSIT.
	adopted bool
	// revisions are all there are, the oldest first.
	revisions []revision
}

// findWayBack says which revision of a release is brought back. It is an error
// with ReasonNothingToRollBack where the release did not go through and never
// had.
func findWayBack(revisions []revision, w wish, now time.Time) (wayBack, error) {
	if len(revisions) == 0 {
		return wayBack{}, nil
	}
	newest := revisions[len(revisions)-1]
	owner, owned := ownerOf(newest.labels)
	switch {
	case owned && owner != w.owner:
		return wayBack{}, installer.Terminalf(installer.ReasonReleaseConflict, "the release belongs to Integration %s", owner)
	case !owned && !w.recorded:
		return wayBack{}, installer.Terminalf(installer.ReasonNothingToRollBack, "the release %s was not made by KSIT", newest.release())
	case newest.status == release.StatusDeployed:
		return wayBack{}, nil
	case newest.status == release.StatusUninstalled, newest.status == release.StatusUninstalling:
		return wayBack{}, installer.Terminalf(installer.ReasonNothingToRollBack, "the release %s is %s", newest.release(), newest.status)
	}
	way, err := wayFrom(revisions, w, now)
	if err != nil {
		return wayBack{}, err
	}
	good, found := lastGood(revisions[:len(revisions)-1])
	if !found {
		return wayBack{}, installer.Terminalf(installer.ReasonNothingToRollBack,
			"no revision of the release %s went through: it is left as it is", newest.release())
	}
	way.to = good.number
	return way, nil
}

// wayFrom is the beginning of every way back from the newest revision: where it
// leads to is left open. It fails while somebody else is at work on the release.
func wayFrom(revisions []revision, w wish, now time.Time) (wayBack, error) {
	newest := revisions[len(revisions)-1]
	way := wayBack{
		adopted:   newest.labels[LabelAdopted] == "true" || (w.recorded && w.adopted),
		recover:   newest.unfinished(),
		revisions: revisions,
	}
	if way.recover {
		if err := foreignAtWork(newest, now); err != nil {
			return wayBack{}, err
		}
	}
	return way, nil
}

// lastGood is the newest revision that is deployed, or where the process ended
// just after the next one took its place, the newest that was.
func lastGood(revisions []revision) (revision, bool) {
	for _, status := range []release.Status{release.StatusDeployed, release.StatusSuperseded} {
		for n := len(revisions) - 1; n >= 0; n-- {
			if revisions[n].status == status {
				return revisions[n], true
			}
		}
	}
	return revision{}, false
}

// release is the name of the release that a revision is of.
func (r revision) release() string { return r.labels["name"] }
