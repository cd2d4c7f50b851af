// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"time"
)

// action is one step, which one write carries out.
type action string

const (
	// nothing is to be done for now.
	nothing action = "Nothing"
	// createAuthority makes one that signs at once, since nothing is served.
	createAuthority action = "CreateAuthority"
	// announceAuthority makes the next one, which is trusted and does not sign.
	announceAuthority action = "AnnounceAuthority"
	// publishBundle tells the host whom to trust.
	publishBundle action = "PublishBundle"
	// copyBundle does so for those who read the Secrets.
	copyBundle action = "CopyBundle"
	// startOverlap notes that everybody was told of the next authority.
	startOverlap action = "StartOverlap"
	// promoteAuthority has the next one sign.
	promoteAuthority action = "PromoteAuthority"
	// issueCertificate has a pair signed.
	issueCertificate action = "IssueCertificate"
	// startRetirement notes that nothing of the previous authority is served.
	startRetirement action = "StartRetirement"
	// dropAuthority trusts the previous one no more.
	dropAuthority action = "DropAuthority"
)

// checkInterval is how long a decision holds at most: clocks are set.
const checkInterval = time.Hour

// decision is what is to be done now and why, or after which time to look again.
type decision struct {
	action action
	reason string
	after  time.Duration
	// stuck is when there is nothing that KSIT can do, and somebody should.
	stuck bool
}

// decide returns the one step that is next. It has no side effects.
//
// The order of the steps is what keeps requests from failing: an authority is in
// the bundle of the host, and of the Secrets, for the overlap, before it signs;
// and leaves the bundle an overlap after the last pair that it signed was
// replaced.
func decide(o observed, options Options, now time.Time) decision {
	s := read(o, now)
	if s.early != nil {
		// Another authority would be of use until the clock is right again, and no longer.
		return decision{action: nothing, reason: "the clock of this machine is before the time from which the authority is valid", after: time.Minute, stuck: true}
	}
	live := s.live(options.Names)
	if d, ok := s.withoutSigner(live); ok {
		return d
	}
	if s.nextBroken {
		return decision{action: announceAuthority, reason: "the one that was announced cannot be read"}
	}
	bundle := encodeBundle(s.trusted())
	if s.registered && !bytes.Equal(s.bundle, bundle) {
		return decision{action: publishBundle, reason: "the host trusts others"}
	}
	if !bytes.Equal(s.authority.data[bundleKey], bundle) ||
		s.served != nil && !bytes.Equal(s.serving.data[bundleKey], bundle) {
		return decision{action: copyBundle, reason: "the authorities have changed"}
	}
	var wait time.Duration
	if s.next != nil {
		d, left := s.overlap(s.authority.when(AnnouncedAnnotation), options.Overlap)
		switch {
		case !d:
			return decision{action: startOverlap, reason: "the next authority is in every bundle"}
		case left <= 0:
			return decision{action: promoteAuthority, reason: "it has been trusted for the overlap"}
		}
		wait = left
	}
	if s.signer == nil {
		return decision{action: nothing, reason: "an authority is announced, and what is served holds", after: bounded(wait)}
	}
	if reason := s.certificateFor(options); reason != "" {
		return decision{action: issueCertificate, reason: reason}
	}
	wait = sooner(wait, renewAt(s.served.cert).Sub(now))
	if s.next != nil {
		return decision{action: nothing, reason: "an authority is announced", after: bounded(wait)}
	}
	if len(s.previous) > 0 {
		d, left := s.overlap(s.authority.when(RetiredAnnotation), options.Overlap)
		switch {
		case !d:
			return decision{action: startRetirement, reason: "nothing that it signed is served"}
		case left <= 0:
			return decision{action: dropAuthority, reason: "nothing that it signed was served for the overlap"}
		}
		return decision{action: nothing, reason: "the previous authority is trusted still", after: bounded(sooner(wait, left))}
	}
	if s.authority.asked() {
		return decision{action: announceAuthority, reason: "the annotation " + RotateAnnotation + " asks for it"}
	}
	renew := renewAt(s.signer.cert).Sub(now)
	if renew <= 0 {
		return decision{action: announceAuthority, reason: "two thirds of its life are over"}
	}
	return decision{action: nothing, reason: "all is as wanted", after: bounded(sooner(wait, renew))}
}

// withoutSigner decides where no authority can sign, or one was announced to
// nobody's use. What is served holds as long as it is live.
func (s *state) withoutSigner(live bool) (decision, bool) {
	if s.signer != nil {
		return decision{}, false
	}
	reason := "there is none"
	if len(s.authority.data[certKey]) > 0 {
		reason = "the present one cannot sign"
	}
	switch {
	case s.next == nil && live:
		return decision{action: announceAuthority, reason: reason}, true
	case s.next == nil:
		return decision{action: createAuthority, reason: reason}, true
	case !live:
		return decision{action: promoteAuthority, reason: reason + ", and nothing is served"}, true
	}
	return decision{}, false
}

// overlap tells whether the overlap has begun, and what is left of it. One that
// begins in the future, by a clock that was wrong, has not begun.
func (s *state) overlap(since time.Time, overlap time.Duration) (begun bool, left time.Duration) {
	if since.IsZero() || since.After(s.now) {
		return false, 0
	}
	return true, overlap - s.now.Sub(since)
}

func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b < a {
		return b
	}
	return a
}

func bounded(wait time.Duration) time.Duration {
	return max(time.Second, min(wait, checkInterval))
}
