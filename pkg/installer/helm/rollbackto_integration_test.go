// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// testRollbackToChosen goes back and forth between revisions that went through,
// and one that did not.
func (b *bench) testRollbackToChosen(t *testing.T) {
	const ns = "chosen"
	var said []string
	color := func(color string) installer.Request {
		return withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": color, "kept": true})
	}
	for _, c := range []string{"red", "green", "blue"} {
		b.apply(t, color(c))
	}
	to := func(number int64) installer.Request {
		req := color("blue")
		req.To = &installer.Revision{Number: number}
		req.Progress = func(line string) { said = append(said, line) }
		return req
	}
	back := to(1)
	back.Hold = &v1alpha1.Hold{Digest: "sha256:blue", RequestedBy: "alice"}
	result := b.mustRollBack(t, back)
	b.wantColor(t, ns, "red")
	// A KSIT that knows nothing of it finds that it holds, until something else is
	// brought.
	hold, releases, err := b.installer.Held(t.Context(), b.conn, color("blue"))
	if err != nil || hold == nil || hold.Digest != "sha256:blue" || hold.RequestedBy != "alice" || hold.Revision != 1 || hold.Release != "fragile" ||
		len(releases) != 1 || releases[0].Revision != 4 || releases[0].Adopted {
		t.Errorf("held %+v, releases %+v: %v", hold, releases, err)
	}
	others := color("blue")
	others.Owner.Integration = "somebody-else"
	if hold, _, err := b.installer.Held(t.Context(), b.conn, others); err != nil || hold != nil {
		t.Errorf("somebody else's is held: %+v, %v", hold, err)
	}
	if result.To != (installer.Revision{Release: "fragile", Number: 1}) || !result.Changed || result.Releases[0].Revision != 4 {
		t.Errorf("result %+v", result)
	}
	// What was rolled back from went through, and can be gone back to.
	b.wantHistory(t, ns, release.StatusSuperseded, release.StatusSuperseded, release.StatusSuperseded, release.StatusDeployed)
	if text := strings.Join(said, "\n"); !strings.Contains(text, "to revision 1") || !strings.Contains(text, "objects applied") {
		t.Errorf("said %q", text)
	}
	if result := b.mustRollBack(t, to(0)); result.To.Number != 3 {
		t.Errorf("the one before is %+v", result.To)
	}
	b.wantColor(t, ns, "blue")
	if hold, _, err := b.installer.Held(t.Context(), b.conn, color("blue")); err != nil || hold != nil {
		t.Errorf("it still holds: %+v, %v", hold, err)
	}
	if result := b.mustRollBack(t, to(5)); result.Changed || result.To.Number != 5 {
		t.Errorf("a rollback to what stands: %+v", result)
	}

	// From one that failed.
	b.mustFail(t, withValues(color("bad"), valueMap{"color": "bad", "extra": "extra", "broken": true}))
	result = b.mustRollBack(t, to(4))
	b.wantColor(t, ns, "red")
	if b.hasConfigMap(t, ns, "extra") || result.To.Number != 4 {
		t.Errorf("left by the failed revision, or result %+v", result)
	}

	for _, wrong := range []installer.Revision{{Number: 99}, {Release: "other"}} {
		req := to(0)
		req.To = &wrong
		result, err := b.installer.Rollback(t.Context(), b.conn, req)
		if installer.ReasonOf(err) != installer.ReasonRevisionNotFound || result.Changed {
			t.Errorf("to %+v: %+v, %v", wrong, result, err)
		}
		if wrong.Number > 0 && !strings.Contains(fmt.Sprint(err), "7 (deployed)") {
			t.Errorf("it does not say what there is: %v", err)
		}
	}
	b.wantColor(t, ns, "red")
}

func TestFindWayTo(t *testing.T) {
	mine := wish{owner: installer.Owner{Namespace: "ns", Integration: "app"}, recorded: true}
	now := time.Now()
	history := func(statuses ...release.Status) []revision {
		var revisions []revision
		for n, s := range statuses {
			revisions = append(revisions, revision{number: n + 1, status: s, byKSIT: true, written: now, labels: ownerLabels(mine.owner, false)})
		}
		return revisions
	}
	const deployed, superseded, failed, pending = release.StatusDeployed, release.StatusSuperseded, release.StatusFailed, release.StatusPendingUpgrade
	for name, tc := range map[string]struct {
		revisions []revision
		wish      wish
		to, want  int
		recover   bool
		reason    installer.Reason
	}{
		"the one before":               {revisions: history(superseded, superseded, deployed), wish: mine, want: 2},
		"the one before a failed one":  {revisions: history(superseded, deployed, failed), wish: mine, want: 2},
		"the one before a pending one": {revisions: history(superseded, deployed, pending), wish: mine, want: 2, recover: true},
		"none before":                  {revisions: history(deployed), wish: mine, reason: installer.ReasonRevisionNotFound},
		"a chosen one":                 {revisions: history(superseded, superseded, deployed), wish: mine, to: 1, want: 1},
		"a failed one":                 {revisions: history(superseded, failed, deployed), wish: mine, to: 2, want: 2},
		"one cut short":                {revisions: history(deployed, pending), wish: mine, to: 2, reason: installer.ReasonRevisionNotFound},
		"one that is not there":        {revisions: history(superseded, deployed), wish: mine, to: 7, reason: installer.ReasonRevisionNotFound},
		"no release":                   {wish: mine, to: 1, reason: installer.ReasonRevisionNotFound},
		"somebody else's":              {revisions: history(superseded, deployed), wish: wish{owner: installer.Owner{Namespace: "other", Integration: "app"}}, to: 1, reason: installer.ReasonReleaseConflict},
	} {
		t.Run(name, func(t *testing.T) {
			way, err := findWayTo(tc.revisions, tc.wish, tc.to, now)
			if tc.reason != "" {
				if installer.ReasonOf(err) != tc.reason {
					t.Errorf("way %+v, %v, want the reason %s", way, err, tc.reason)
				}
				return
			}
			if err != nil || way.to != tc.want || way.recover != tc.recover {
				t.Errorf("way %+v, %v", way, err)
			}
		})
	}
}
