// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestYears runs rotations through years of simulated time, with people who ask
// for more of them, and outages. Whoever verifies by a bundle that is late by
// some minutes never meets a certificate that it cannot verify.
func TestYears(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runYears(t, seed) })
	}
}

func runYears(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, seed))
	w := settled(t)
	w.options.AuthorityValidity = 400 * 24 * time.Hour
	late := &laggard{lag: w.options.Overlap - time.Minute}
	before := w.state()
	issued, promoted, asked := 0, 0, 0
	end := start.Add(4 * 365 * 24 * time.Hour)
	for w.now.Before(end) {
		d := w.step()
		after := w.state()
		switch d.action {
		case issueCertificate:
			issued++
		case promoteAuthority:
			promoted++
		case announceAuthority:
			if before.next != nil || len(before.previous) > 0 {
				t.Fatalf("%s: a rotation begins during another", w.now)
			}
		}
		before = after
		if after.served == nil || !valid(after.served.cert, w.now) || !after.live(w.options.Names) {
			t.Fatalf("%s: after %s, what is served cannot be verified", w.now, d.action)
		}
		late.see(w)
		if len(late.seen) == 1 {
			late.seen[0].at = w.now
		} else if err := late.verify(w); err != nil {
			t.Fatalf("%s: after %s: %v", w.now, d.action, err)
		}
		if d.action != nothing {
			continue
		}
		pass := d.after
		if pass == checkInterval {
			pass *= 1 + time.Duration(random.IntN(24))
		}
		switch random.IntN(40) {
		case 0: // A week without KSIT.
			pass = 7 * 24 * time.Hour
		case 1:
			asked++
			w.authority.annotations[RotateAnnotation] = fmt.Sprint(asked)
		case 2:
			asked++
			w.serving.annotations[RotateAnnotation] = fmt.Sprint(asked)
		}
		w.now = w.now.Add(pass)
	}
	if asked < 40 || issued < 40 || promoted < 20 {
		t.Errorf("%d rotations were asked for, %d certificates were issued and %d authorities promoted in four years", asked, issued, promoted)
	}
}

// laggard sees bundle and certificate late: it verifies the present certificate
// by an old bundle, and an old certificate by the present bundle.
type laggard struct {
	lag  time.Duration
	seen []sight
}

type sight struct {
	at     time.Time
	bundle []byte
	served *x509.Certificate
}

func (l *laggard) see(w *world) {
	l.seen = append(l.seen, sight{at: w.now, bundle: w.bundle, served: w.state().served.cert})
	// The last that is old enough is what the laggard may still have.
	for len(l.seen) > 1 && !l.seen[1].at.After(w.now.Add(-l.lag)) {
		l.seen = l.seen[1:]
	}
}

func (l *laggard) verify(w *world) error {
	newest := l.seen[len(l.seen)-1]
	for _, s := range l.seen {
		if w.now.Sub(s.at) > l.lag {
			continue
		}
		for _, x := range []struct {
			what   string
			cert   *x509.Certificate
			bundle []byte
		}{{"the present certificate, by the bundle of", newest.served, s.bundle}, {"by the present bundle, the certificate of", s.served, newest.bundle}} {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(x.bundle)
			for _, name := range w.options.Names {
				if _, err := x.cert.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: w.now}); err != nil {
					return fmt.Errorf("%s %s for %s: %w", x.what, s.at, name, err)
				}
			}
		}
	}
	return nil
}
