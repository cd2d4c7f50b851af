// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"ksit.io/ksit/pkg/installer"
)

func TestFindWayBack(t *testing.T) {
	const (
		deployed   = release.StatusDeployed
		failed     = release.StatusFailed
		superseded = release.StatusSuperseded
		upgrade    = release.StatusPendingUpgrade
		rollback   = release.StatusPendingRollback
	)
	foreign := func(r *revision, _ *storedRelease) { r.byKSIT = false }
	for name, test := range map[string]struct {
		observed observation
		wish     func(*wish)
		to       int
		recover  bool
		adopted  bool
		// reason is set where there is no way back.
		reason installer.Reason
	}{
		"not there":                      {observed: history()},
		"went through":                   {observed: history(superseded, deployed)},
		"an upgrade failed":              {observed: history(superseded, deployed, failed), to: 2},
		"many upgrades failed":           {observed: history(deployed, failed, failed, failed, failed), to: 1},
		"a rollback failed":              {observed: history(deployed, superseded, failed), to: 1},
		"an upgrade was cut short":       {observed: history(deployed, upgrade), to: 1, recover: true},
		"a rollback was cut short":       {observed: history(deployed, failed, rollback), to: 1, recover: true},
		"cut short at its end":           {observed: history(superseded, superseded, upgrade), to: 2, recover: true},
		"a first install failed":         {observed: history(failed), reason: installer.ReasonNothingToRollBack},
		"first installs failed":          {observed: history(failed, failed), reason: installer.ReasonNothingToRollBack},
		"a first install was cut short":  {observed: history(release.StatusPendingInstall), reason: installer.ReasonNothingToRollBack},
		"uninstalled":                    {observed: history(superseded, release.StatusUninstalled), reason: installer.ReasonNothingToRollBack},
		"an uninstall was cut short":     {observed: history(superseded, release.StatusUninstalling), reason: installer.ReasonNothingToRollBack},
		"made by hand":                   {observed: history(deployed, failed).with(unlabelled), reason: installer.ReasonNothingToRollBack},
		"made by hand, recorded as mine": {observed: history(deployed, failed).with(unlabelled), wish: func(w *wish) { w.recorded = true }, to: 1},
		"adopted":                        {observed: history(deployed, failed).with(func(r *revision, _ *storedRelease) { r.labels[LabelAdopted] = "true" }), to: 1, adopted: true},
		"recorded as adopted":            {observed: history(deployed, failed), wish: func(w *wish) { w.recorded, w.adopted = true, true }, to: 1, adopted: true},
		"somebody's upgrade goes on":     {observed: history(deployed, upgrade).with(foreign), reason: installer.ReasonReleaseConflict},
		"of another Integration": {
			observed: history(deployed, failed).with(func(r *revision, _ *storedRelease) { r.labels[LabelIntegration] = "other" }),
			reason:   installer.ReasonReleaseConflict,
		},
		"somebody's upgrade is long dead": {
			observed: history(deployed, upgrade).with(func(r *revision, _ *storedRelease) { r.byKSIT, r.written = false, decideNow.Add(-time.Hour) }),
			to:       1, recover: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := wish{owner: me}
			if test.wish != nil {
				test.wish(&w)
			}
			got, err := findWayBack(test.observed.revisions, w, decideNow)
			if test.reason != "" {
				if err == nil || installer.ReasonOf(err) != test.reason {
					t.Fatalf("%+v, error %v", got, err)
				}
				return
			}
			if err != nil || got.to != test.to || got.recover != test.recover || got.adopted != test.adopted {
				t.Errorf("got %+v, error %v", got, err)
			}
		})
	}
}
