// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func testOptions() Options {
	return Options{
		Authority:         types.NamespacedName{Namespace: "ksit-system", Name: "ksit-ca"},
		Serving:           types.NamespacedName{Namespace: "ksit-system", Name: "ksit-serving"},
		Names:             []string{"ksit-apiserver.ksit-system.svc", "localhost", "127.0.0.1"},
		Validity:          90 * 24 * time.Hour,
		AuthorityValidity: 5 * 365 * 24 * time.Hour,
		Overlap:           10 * time.Minute,
	}
}

// world is what there is on the host, and a clock.
type world struct {
	t *testing.T
	observed
	options Options
	now     time.Time
}

func newWorld(t *testing.T) *world {
	return &world{t: t, observed: observed{registered: true}, options: testOptions(), now: start}
}

// settled is a world in which all is as wanted.
func settled(t *testing.T) *world {
	w := newWorld(t)
	w.settle()
	return w
}

// step takes one step, and returns what it was.
func (w *world) step() decision {
	w.t.Helper()
	d := decide(w.observed, w.options, w.now)
	if d.action == nothing {
		return d
	}
	c, err := carryOut(d, w.observed, w.options, w.now)
	if err != nil {
		w.t.Fatalf("%s: %v", d.action, err)
	}
	if c.bundle != nil {
		w.bundle = c.bundle
	}
	if c.authority != nil {
		w.authority = *c.authority
	}
	if c.serving != nil {
		w.serving = *c.serving
	}
	return d
}

func (w *world) settle() (taken []action) {
	w.t.Helper()
	for range 20 {
		d := w.step()
		if d.action == nothing {
			if d.after <= 0 || d.after > checkInterval {
				w.t.Fatalf("it wants to look again after %s", d.after)
			}
			return taken
		}
		taken = append(taken, d.action)
	}
	w.t.Fatalf("it does not come to rest: %v", taken)
	return nil
}

func (w *world) state() *state { return read(w.observed, w.now) }

func (w *world) corrupt(c *content, key string) {
	c.data[key] = bytes.Repeat([]byte("x"), 100)
}

// TestDecide has a line for each state.
func TestDecide(t *testing.T) {
	tests := []struct {
		name string
		// change is made to a world in which all is as wanted.
		change func(*world)
		want   action
		// rests are the steps that follow, until it waits.
		rest []action
	}{
		{"fine", func(*world) {}, nothing, nil},
		{"absent", func(w *world) { w.observed = observed{registered: true} }, createAuthority,
			[]action{publishBundle, issueCertificate}},
		{"absent, nobody registered", func(w *world) { w.observed = observed{} }, createAuthority,
			[]action{issueCertificate}},
		{"half of the certificate's life is over", func(w *world) { w.now = start.Add(w.options.Validity / 2) }, nothing, nil},
		{"two thirds of the certificate's life are over", func(w *world) { w.now = start.Add(w.options.Validity / 3 * 2) }, issueCertificate, nil},
		{"the certificate has expired", func(w *world) { w.now = start.Add(w.options.Validity) }, issueCertificate, nil},
		{"two thirds of the authority's life are over", func(w *world) {
			w.now = start.Add(w.options.AuthorityValidity / 3 * 2)
			w.reissue()
		}, announceAuthority, []action{publishBundle, copyBundle, startOverlap}},
		{"all was stopped until the authority had expired", func(w *world) { w.now = start.Add(w.options.AuthorityValidity) }, createAuthority,
			[]action{publishBundle, copyBundle, issueCertificate}},
		{"the certificate is asked for", func(w *world) { w.serving.annotations[RotateAnnotation] = "1" }, issueCertificate, nil},
		{"the authority is asked for", func(w *world) { w.authority.annotations[RotateAnnotation] = "1" }, announceAuthority,
			[]action{publishBundle, copyBundle, startOverlap}},
		{"other names are wanted", func(w *world) { w.options.Names = append(w.options.Names, "other") }, issueCertificate, nil},
		{"fewer names are wanted", func(w *world) { w.options.Names = w.options.Names[:1] }, issueCertificate, nil},
		{"there is no certificate", func(w *world) { w.serving.data = nil }, issueCertificate, nil},
		{"the certificate cannot be read", func(w *world) { w.corrupt(&w.serving, certKey) }, issueCertificate, nil},
		{"its key cannot be read", func(w *world) { w.corrupt(&w.serving, keyKey) }, issueCertificate, nil},
		{"its key is that of another", func(w *world) { w.serving.data[keyKey] = w.authority.data[keyKey] }, issueCertificate, nil},
		{"the host trusts others", func(w *world) { w.bundle = []byte("x") }, publishBundle, nil},
		{"the host trusts nobody", func(w *world) { w.bundle = nil }, publishBundle, nil},
		{"a copy of the bundle was edited", func(w *world) { w.corrupt(&w.serving, bundleKey) }, copyBundle, nil},
		// What is served goes on to be verified until another authority is known.
		{"the key of the authority cannot be read", func(w *world) { w.corrupt(&w.authority, keyKey) }, announceAuthority,
			[]action{publishBundle, copyBundle, startOverlap}},
		{"the authority cannot be read", func(w *world) { w.corrupt(&w.authority, certKey) }, announceAuthority,
			[]action{publishBundle, copyBundle, startOverlap}},
		{"the authority was emptied", func(w *world) { w.authority = content{} }, announceAuthority,
			[]action{publishBundle, copyBundle, startOverlap}},
		{"what is no authority is in its place", func(w *world) {
			w.authority.data[certKey], w.authority.data[keyKey] = w.serving.data[certKey], w.serving.data[keyKey]
		}, announceAuthority, []action{publishBundle, copyBundle, startOverlap}},
		{"the key of the authority cannot be read, and nothing is served", func(w *world) {
			w.corrupt(&w.authority, keyKey)
			w.serving.data = nil
		}, createAuthority, []action{publishBundle, issueCertificate, startRetirement}},
		{"what was announced cannot be read", func(w *world) {
			w.announced()
			w.corrupt(&w.authority, nextKeyKey)
		}, announceAuthority, []action{publishBundle, copyBundle, startOverlap}},
		{"another rotation is asked for during one", func(w *world) {
			w.announced()
			w.authority.annotations[RotateAnnotation] = "2"
		}, nothing, nil},
		{"the overlap is over", func(w *world) {
			w.announced()
			w.now = w.now.Add(w.options.Overlap)
		}, promoteAuthority, []action{issueCertificate, startRetirement}},
		{"the bundle was edited during the overlap", func(w *world) {
			w.announced()
			w.now = w.now.Add(w.options.Overlap)
			w.bundle = nil
		}, publishBundle, []action{startOverlap}},
		{"the present authority was lost during the overlap", func(w *world) {
			w.announced()
			w.corrupt(&w.authority, certKey)
		}, nothing, nil},
		{"the present authority and what is served were lost during the overlap", func(w *world) {
			w.announced()
			w.corrupt(&w.authority, certKey)
			w.serving.data = nil
		}, promoteAuthority, []action{issueCertificate, startRetirement}},
		{"the clock is slow by less than an hour", func(w *world) { w.now = start.Add(-50 * time.Minute) }, nothing, nil},
		{"the clock is wrong", func(w *world) { w.now = start.Add(-365 * 24 * time.Hour) }, nothing, nil},
		{"the APIService was made anew", func(w *world) { w.registered, w.bundle = false, nil }, nothing, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := settled(t)
			test.change(w)
			d := decide(w.observed, w.options, w.now)
			if d.action != test.want {
				t.Fatalf("it decides on %s (%s), want %s", d.action, d.reason, test.want)
			}
			if d.reason == "" {
				t.Error("it does not say why")
			}
			if d.action == nothing {
				return
			}
			got := w.settle()[1:]
			if len(got) != len(test.rest) {
				t.Fatalf("then it does %v, want %v", got, test.rest)
			}
			for i := range got {
				if got[i] != test.rest[i] {
					t.Fatalf("then it does %v, want %v", got, test.rest)
				}
			}
		})
	}
}

// reissue has the present authority sign, as it did now and again.
func (w *world) reissue() {
	w.t.Helper()
	p, err := newCertificate(w.state().signer, w.options, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.serving.data[certKey], w.serving.data[keyKey] = p.certPEM, p.keyPEM
}

// announced brings the world to where the next authority is announced.
func (w *world) announced() {
	w.t.Helper()
	w.authority.annotations[RotateAnnotation] = "announced"
	w.settle()
	if w.state().next == nil {
		w.t.Fatal("nothing was announced")
	}
}

// TestFirstBundleIsKept checks that whoever was trusted before KSIT kept its own
// certificates is so until the first of these is served and the overlap over.
func TestFirstBundleIsKept(t *testing.T) {
	w := newWorld(t)
	other, err := newAuthority(start, w.options.AuthorityValidity)
	if err != nil {
		t.Fatal(err)
	}
	w.bundle = other.certPEM
	w.settle()
	if certs := parseBundle(w.bundle, w.now); len(certs) != 2 || !contains(certs, other.cert) {
		t.Fatalf("the bundle has %d certificates", len(certs))
	}
	w.now = w.now.Add(w.options.Overlap)
	w.settle()
	if certs := parseBundle(w.bundle, w.now); len(certs) != 1 || contains(certs, other.cert) {
		t.Fatalf("after the overlap, the bundle has %d certificates", len(certs))
	}
}

// TestStepsAreDone checks that each step is its own answer: a process that dies
// after any of them, or another that comes to it, does not take it again.
func TestStepsAreDone(t *testing.T) {
	w := newWorld(t)
	last := nothing
	for range 60 {
		d := w.step()
		if d.action == nothing {
			w.now = w.now.Add(w.options.Overlap)
			if w.authority.annotations[RotateAnnotation] == "" {
				w.authority.annotations[RotateAnnotation] = "1"
			}
		} else if d.action == last {
			t.Fatalf("%s is taken twice", d.action)
		}
		last = d.action
	}
}
