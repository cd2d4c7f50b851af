// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"

	"helm.sh/helm/v3/pkg/release"
)

// recoverPending marks the newest revision failed, which is pending and whose
// process is dead. What it applied stays, for the next action to take up.
//
// The process may have died after it marked the last good revision superseded,
// and before it marked its own deployed. The good one is then deployed again:
// Helm keeps that in the history however long it gets.
func (o *operation) recoverPending(revisions []revision) error {
	newest := revisions[len(revisions)-1]
	if newest.status == release.StatusPendingUpgrade || newest.status == release.StatusPendingRollback {
		if good, found := lastGood(revisions); found && good.status == release.StatusSuperseded {
			if err := o.setStatus(good.number, release.StatusDeployed, "Deployed again: what came after it was interrupted"); err != nil {
				return err
			}
		}
	}
	return o.setStatus(newest.number, release.StatusFailed, "Interrupted: the process that worked on it ended")
}

func (o *operation) setStatus(number int, status release.Status, description string) error {
	rel, err := o.config.Releases.Get(o.release.Name, number)
	if err == nil {
		rel.SetStatus(status, description)
		err = o.config.Releases.Update(rel)
	}
	return classify(o.ctx, err, fmt.Sprintf("taking up revision %d", number), o.redact)
}

// burial has the objects removed that failed revisions left behind, once the
// next one stands.
func (o *operation) burial(revisions []revision) error {
	failed, err := failedManifests(o.ctx, o.conn, o.release.Namespace, revisions)
	if err == nil {
		err = o.client.bury(failed)
	}
	return classify(o.ctx, err, "looking at the revisions that failed", o.redact)
}
