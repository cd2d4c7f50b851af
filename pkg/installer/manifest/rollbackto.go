// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ksit.io/ksit/pkg/installer"
)

// maxFormer bounds the former revisions that are kept, as far as they fit.
const maxFormer = 4

// formerRevision is one before the present that went through. Its objects are in
// the Secret with what was applied, under its digest.
type formerRevision struct {
	Revision int64  `json:"r"`
	Digest   string `json:"d"`
}

// succeeded are the former revisions once another stands: the present one is
// among them if it went through.
func (v *inventory) succeeded(by string) []formerRevision {
	if v.Digest == by || v.Digest == "" || v.Good != v.Digest {
		return v.Former
	}
	former := append([]formerRevision{{Revision: v.Revision, Digest: v.Digest}}, v.Former...)
	return former[:min(len(former), maxFormer)]
}

// back are the revisions that there are to go back to, the newest first. While
// an apply goes on or was cut short, what was there before it is among them.
func (v *inventory) back() []formerRevision {
	if v.Applying != "" {
		return v.succeeded(v.Applying)
	}
	if len(v.Former) == 0 && v.Good != "" && v.Good != v.Digest {
		// By a KSIT that kept no more than the last that went through.
		return []formerRevision{{Revision: max(v.Revision-1, 1), Digest: v.Good}}
	}
	return v.Former
}

// rollBackTo brings back one revision; 0 is the last before the present that went
// through.
func (r *release) rollBackTo(ctx context.Context, to installer.Revision, waiting func()) (installer.Revision, bool, error) {
	if to.Release != "" && to.Release != r.name {
		return to, false, installer.Terminalf(installer.ReasonRevisionNotFound, "the release %s is none of this Installation: there is %s", to.Release, r.name)
	}
	to.Release = r.name
	if err := r.read(ctx); err != nil {
		return to, false, err
	}
	if r.stored == nil {
		return to, false, installer.Terminalf(installer.ReasonRevisionNotFound, "the release is not on the target")
	}
	if to.Number == r.stored.Revision && r.stored.Applying == "" && to.Number != 0 {
		return to, false, nil
	}
	there := r.stored.back()
	n := 0
	if to.Number != 0 {
		n = slices.IndexFunc(there, func(f formerRevision) bool { return f.Revision == to.Number })
	}
	if n < 0 || n >= len(there) {
		return to, false, r.notThere(to.Number, there)
	}
	chosen := there[n]
	to.Number = chosen.Revision
	s, err := r.snapshotOf(ctx, chosen.Digest)
	if err != nil {
		return to, false, fmt.Errorf("reading revision %d: %w", to.Number, err)
	}
	if s == nil {
		return to, false, installer.Terminalf(installer.ReasonRevisionNotFound,
			"revision %d is not in the Secret %s/%s: the revisions that are kept take more than %d KiB packed, or KSIT may not write the Secret, or somebody removed it",
			to.Number, r.namespace, r.appliedName(), maxSnapshotBytes>>10)
	}
	r.say("rolling back the release %s in namespace %s to revision %d", r.name, r.namespace, to.Number)
	changed, err := r.applyFormer(ctx, r.take(s), chosen.Digest, waiting)
	if err != nil {
		return to, changed, err
	}
	promoted, err := r.promote(ctx)
	return to, changed || promoted, err
}

func (r *release) notThere(number int64, there []formerRevision) error {
	parts := []string{strconv.FormatInt(r.stored.Revision, 10) + " (the present)"}
	if r.stored.Applying != "" {
		parts = nil
	}
	for _, f := range there {
		parts = append(parts, strconv.FormatInt(f.Revision, 10))
	}
	listed := strings.Join(parts, ", ")
	if listed == "" {
		listed = "none"
	}
	if number == 0 {
		return installer.Terminalf(installer.ReasonRevisionNotFound, "no revision before the present one went through: there are %s", listed)
	}
	return installer.Terminalf(installer.ReasonRevisionNotFound, "there is no revision %d: there are %s", number, listed)
}
