// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"ksit.io/ksit/pkg/installer"
)

var (
	decideNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	me        = installer.Owner{Namespace: "team", Integration: "web"}
)

// history makes an observation: the statuses of the revisions, the oldest first.
// The newest is of chart web 1.2.3 without values, mine, written by KSIT.
func history(statuses ...release.Status) observation {
	var o observation
	for i, s := range statuses {
		o.revisions = append(o.revisions, revision{
			number: i + 1, status: s, labels: ownerLabels(me, false), byKSIT: true, written: decideNow.Add(-time.Minute),
		})
	}
	if len(statuses) > 0 {
		o.last = &storedRelease{}
		o.last.Chart.Metadata.Name, o.last.Chart.Metadata.Version = "web", "1.2.3"
	}
	return o
}

func (o observation) with(change func(newest *revision, last *storedRelease)) observation {
	change(&o.revisions[len(o.revisions)-1], o.last)
	return o
}

func unlabelled(r *revision, _ *storedRelease) { r.labels = nil }

func TestDecide(t *testing.T) {
	const (
		deployed   = release.StatusDeployed
		failed     = release.StatusFailed
		superseded = release.StatusSuperseded
		install    = release.StatusPendingInstall
		upgrade    = release.StatusPendingUpgrade
		rollback   = release.StatusPendingRollback
	)
	another := map[string]any{"color": "red"}
	for name, test := range map[string]struct {
		observed observation
		values   map[string]any
		version  string
		wish     func(*wish)
		want     decision
		// reason is set where no decision comes of it.
		reason   installer.Reason
		terminal bool
	}{
		"absent":                              {observed: history(), want: decision{action: actionInstall}},
		"as wanted":                           {observed: history(deployed), want: decision{action: actionNone}},
		"as wanted, with a history":           {observed: history(superseded, failed, deployed), want: decision{action: actionNone}},
		"as wanted, by a range":               {observed: history(deployed), version: "~1.2", want: decision{action: actionNone}},
		"other values":                        {observed: history(deployed), values: another, want: decision{action: actionUpgrade}},
		"other version":                       {observed: history(deployed), version: "1.3.0", want: decision{action: actionUpgrade}},
		"out of the range":                    {observed: history(deployed), version: ">=1.3", want: decision{action: actionUpgrade}},
		"another chart, and mine":             {observed: history(deployed), wish: func(w *wish) { w.chart = "new" }, want: decision{action: actionUpgrade}},
		"failed upgrade":                      {observed: history(deployed, failed), want: decision{action: actionUpgrade}},
		"failed upgrade, superseded before":   {observed: history(superseded, failed), want: decision{action: actionUpgrade}},
		"failed install":                      {observed: history(failed), want: decision{action: actionReplace}},
		"failed install, twice":               {observed: history(failed, failed), want: decision{action: actionReplace}},
		"failed install, other values":        {observed: history(failed), values: another, want: decision{action: actionUpgrade}},
		"killed in an install":                {observed: history(install), want: decision{action: actionReplace, recover: true}},
		"killed in an install, other values":  {observed: history(install), values: another, want: decision{action: actionUpgrade, recover: true}},
		"killed in an install, after failed":  {observed: history(failed, install), want: decision{action: actionReplace, recover: true}},
		"killed in an upgrade":                {observed: history(deployed, upgrade), want: decision{action: actionUpgrade, recover: true}},
		"killed in an upgrade, at its end":    {observed: history(superseded, upgrade), want: decision{action: actionUpgrade, recover: true}},
		"killed in a rollback":                {observed: history(superseded, deployed, rollback), want: decision{action: actionUpgrade, recover: true}},
		"killed in an uninstall":              {observed: history(release.StatusUninstalling), want: decision{action: actionReinstall}},
		"unknown":                             {observed: history(release.StatusUnknown), want: decision{action: actionReplace, recover: true}},
		"superseded only":                     {observed: history(superseded), want: decision{action: actionUpgrade}},
		"uninstalled":                         {observed: history(superseded, release.StatusUninstalled), want: decision{action: actionReplace}},
		"uninstalled, of another Integration": {observed: history(release.StatusUninstalled).with(func(r *revision, _ *storedRelease) { r.labels[LabelIntegration] = "other" }), want: decision{action: actionReplace}},
		"of another Integration": {
			observed: history(deployed).with(func(r *revision, _ *storedRelease) { r.labels[LabelIntegration] = "other" }),
			reason:   installer.ReasonReleaseConflict, terminal: true,
		},
		"of another namespace": {
			observed: history(deployed).with(func(r *revision, _ *storedRelease) { r.labels[LabelNamespace] = "other" }),
			reason:   installer.ReasonReleaseConflict, terminal: true,
		},
		"made by hand":                    {observed: history(deployed).with(unlabelled), want: decision{action: actionClaim, adopted: true}},
		"made by hand, other values":      {observed: history(deployed).with(unlabelled), values: another, want: decision{action: actionUpgrade, adopted: true}},
		"made by hand, failed":            {observed: history(failed).with(unlabelled), want: decision{action: actionUpgrade, adopted: true}},
		"made by hand, recorded as mine":  {observed: history(deployed).with(unlabelled), wish: func(w *wish) { w.recorded = true }, want: decision{action: actionClaim}},
		"made by hand, recorded as taken": {observed: history(deployed).with(unlabelled), wish: func(w *wish) { w.recorded, w.adopted = true, true }, want: decision{action: actionClaim, adopted: true}},
		"made by hand, adoption refused": {
			observed: history(deployed).with(unlabelled), wish: func(w *wish) { w.refuseFound = true },
			reason: installer.ReasonReleaseConflict, terminal: true,
		},
		"mine, adoption refused":        {observed: history(deployed), wish: func(w *wish) { w.refuseFound = true }, want: decision{action: actionNone}},
		"adopted long ago, now refused": {observed: history(deployed).with(unlabelled), wish: func(w *wish) { w.recorded, w.adopted, w.refuseFound = true, true, true }, want: decision{action: actionClaim, adopted: true}},
		"adopted before":                {observed: history(deployed).with(func(r *revision, _ *storedRelease) { r.labels[LabelAdopted] = "true" }), want: decision{action: actionNone, adopted: true}},
		"made by hand from another chart": {
			observed: history(deployed).with(func(r *revision, l *storedRelease) { r.labels, l.Chart.Metadata.Name = nil, "other" }),
			reason:   installer.ReasonReleaseConflict, terminal: true,
		},
		"somebody's upgrade goes on": {
			observed: history(deployed, upgrade).with(func(r *revision, _ *storedRelease) { r.byKSIT = false }),
			reason:   installer.ReasonReleaseConflict,
		},
		"somebody's uninstall goes on": {
			observed: history(release.StatusUninstalling).with(func(r *revision, _ *storedRelease) { r.byKSIT = false }),
			reason:   installer.ReasonReleaseConflict,
		},
		"somebody's upgrade is long dead": {
			observed: history(deployed, upgrade).with(func(r *revision, _ *storedRelease) { r.byKSIT, r.written = false, decideNow.Add(-time.Hour) }),
			want:     decision{action: actionUpgrade, recover: true},
		},
		"unreadable": {
			observed: observation{revisions: history(deployed).revisions},
			reason:   installer.ReasonReleaseConflict,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.version == "" {
				test.version = "1.2.3"
			}
			version, err := parseRange(test.version)
			if err != nil {
				t.Fatal(err)
			}
			w := wish{owner: me, chart: "web", version: version, values: test.values}
			if test.wish != nil {
				test.wish(&w)
			}
			got, err := decide(test.observed, w, decideNow)
			if test.reason != "" {
				if err == nil || installer.ReasonOf(err) != test.reason || installer.IsTerminal(err) != test.terminal {
					t.Fatalf("%+v, error %v", got, err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %+v, want %+v, error %v", got, test.want, err)
			}
		})
	}
}
