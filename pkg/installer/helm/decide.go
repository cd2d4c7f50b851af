// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"time"

	"helm.sh/helm/v3/pkg/release"

	"ksit.io/ksit/pkg/installer"
)

// foreignPending is how old a pending revision that KSIT did not write must be
// before the process that wrote it counts as dead. Somebody's own `helm upgrade`
// may take that long.
const foreignPending = 10 * time.Minute

// deed is what is done to bring a release to what is wanted.
type deed string

const (
	// actionNone: it is as wanted. Nothing is written.
	actionNone deed = "None"
	// actionClaim: it is as wanted, and is only labelled as looked after.
	actionClaim deed = "Claim"
	// actionInstall: there is none.
	actionInstall deed = "Install"
	// actionReplace: there is a history, and nothing of it stands. Helm installs
	// over it: the install hooks run, and the numbers of the revisions go on.
	actionReplace deed = "Replace"
	// actionUpgrade: it stands, and is brought to what is wanted.
	actionUpgrade deed = "Upgrade"
	// actionReinstall: an uninstall of it was cut short; it is brought to its
	// end, and the release installed.
	actionReinstall deed = "Reinstall"
)

// decision is a deed and what goes with it.
type decision struct {
	action deed
	// recover is true where the newest revision is pending and its process is
	// dead: it is marked failed before the action.
	recover bool
	// adopted is true where the release was there before KSIT.
	adopted bool
}

// wish is the part of what is wanted that a decision turns on.
type wish struct {
	owner   installer.Owner
	chart   string
	version versionRange
	values  map[string]any
	// recorded is true where the status says that the release is this owner's,
	// and adopted where it says that it was adopted.
	recorded, adopted bool
	// refuseFound is true where a release that was there before is not taken
	// over.
	refuseFound bool
}

// observation is what a target has of a release.
type observation struct {
	// revisions are the Secrets of the release, the oldest first.
	revisions []revision
	// last is what the newest of them holds; nil where there is none, or where
	// it cannot be read.
	last *storedRelease
}

// revision is what the metadata of the Secret of a revision tells.
type revision struct {
	number int
	status release.Status
	labels map[string]string
	// written is when it was last written, by whom: true for KSIT.
	written time.Time
	byKSIT  bool

	// held is the annotation that a rollback by hand leaves.
	held string

	secret          string
	resourceVersion string
}

// unfinished is true while a process works on a revision, and after it died.
func (r revision) unfinished() bool {
	return r.status.IsPending() || r.status == release.StatusUninstalling || r.status == release.StatusUnknown
}

// foreignAtWork fails when a revision that is not finished may be in the hands of
// somebody else's Helm.
func foreignAtWork(r revision, now time.Time) error {
	if age := now.Sub(r.written); !r.byKSIT && age < foreignPending {
		return installer.Errorf(installer.ReasonReleaseConflict,
			"revision %d of the release is %s by somebody else's Helm, for %s: it is taken up when that is done, or after %s",
			r.number, r.status, age.Round(time.Second), foreignPending)
	}
	return nil
}

func (o observation) newest() (revision, bool) {
	if len(o.revisions) == 0 {
		return revision{}, false
	}
	return o.revisions[len(o.revisions)-1], true
}

func (o observation) any(statuses ...release.Status) bool {
	for _, r := range o.revisions {
		for _, s := range statuses {
			if r.status == s {
				return true
			}
		}
	}
	return false
}

// decide says what is done about a release, given what the target has of it.
func decide(o observation, w wish, now time.Time) (decision, error) {
	newest, found := o.newest()
	if !found {
		return decision{action: actionInstall}, nil
	}
	if newest.status == release.StatusUninstalled {
		// Its history was kept when it was uninstalled. Nothing stands.
		return decision{action: actionReplace}, nil
	}

	owner, owned := ownerOf(newest.labels)
	if owned && owner != w.owner {
		return decision{}, installer.Terminalf(installer.ReasonReleaseConflict,
			"the release belongs to Integration %s: give this Integration another release name or namespace", owner)
	}
	mine := owned || (w.recorded && !w.adopted)
	d := decision{adopted: newest.labels[LabelAdopted] == "true" || (w.recorded && w.adopted) || !mine}
	if o.last == nil {
		return decision{}, installer.Errorf(installer.ReasonReleaseConflict,
			"revision %d of the release cannot be read: its Secret %s is not one that Helm wrote", newest.number, newest.secret)
	}
	if has := o.last.chartName(); has != w.chart && !mine {
		return decision{}, installer.Terminalf(installer.ReasonReleaseConflict,
			"there is a release of this name already, of chart %s and not made by KSIT: give the Integration another release name or namespace", shorten(has, 128))
	}

	if !owned && !w.recorded && w.refuseFound {
		return decision{}, installer.Terminalf(installer.ReasonReleaseConflict,
			"there is a release of this name already, not made by KSIT, and spec.autoInstall.adoptionPolicy is Refuse: give the Integration another release name, or set the policy to Adopt")
	}
	status := newest.status
	if newest.unfinished() {
		if err := foreignAtWork(newest, now); err != nil {
			return decision{}, err
		}
		d.recover = status != release.StatusUninstalling
	}
	same := o.last.chartName() == w.chart && w.version.admits(o.last.chartVersion()) && sameValues(o.last.Config, w.values)
	switch status {
	case release.StatusUninstalling:
		d.action, d.adopted = actionReinstall, false
	case release.StatusDeployed:
		switch {
		case !same:
			d.action = actionUpgrade
		case !owned:
			d.action = actionClaim
		default:
			d.action = actionNone
		}
	case release.StatusFailed, release.StatusUnknown, release.StatusPendingInstall:
		// A first install that was cut short or failed is made again as an
		// install where it is ours and the same: as an upgrade it would leave
		// out the install hooks. Helm's upgrade takes up what else there is.
		d.action = actionUpgrade
		if same && mine && !o.any(release.StatusDeployed, release.StatusSuperseded) {
			d.action = actionReplace
		}
	default:
		// Superseded as the newest: the process ended between two writes.
		d.action = actionUpgrade
	}
	return d, nil
}
