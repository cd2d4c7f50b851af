// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// state is what is observed, read.
type state struct {
	observed
	now time.Time
	// signer signs; nil when there is none that can. early is a signer that is
	// not valid yet.
	signer, early *pair
	// next is announced. nextBroken is when there is something in its place that
	// cannot be used.
	next       *pair
	nextBroken bool
	// previous are trusted still, and sign no more.
	previous []*x509.Certificate
	// served is the pair that is served, or servedErr what is wrong with it.
	served    *pair
	servedErr error
}

func read(o observed, now time.Time) *state {
	s := &state{observed: o, now: now}
	data := o.authority.data
	s.signer = readAuthority(data[certKey], data[keyKey])
	if s.signer != nil && !valid(s.signer.cert, now) {
		if now.Before(s.signer.cert.NotBefore) {
			s.early = s.signer
		}
		s.signer = nil
	}
	s.next = readAuthority(data[nextCertKey], data[nextKeyKey])
	if s.next != nil && !valid(s.next.cert, now) {
		s.next = nil
	}
	s.nextBroken = s.next == nil && len(data[nextCertKey])+len(data[nextKeyKey]) > 0
	s.previous = parseBundle(data[previousKey], now)
	if s.signer == nil {
		// What verified until now does so on, until all that is served can be
		// verified by another.
		for _, known := range [][]byte{data[certKey], data[bundleKey], o.serving.data[bundleKey], o.bundle} {
			s.trustStill(parseBundle(known, now))
		}
	}
	s.served, s.servedErr = parsePair(o.serving.data[certKey], o.serving.data[keyKey])
	return s
}

func readAuthority(certPEM, keyPEM []byte) *pair {
	p, err := parsePair(certPEM, keyPEM)
	if err != nil || !p.cert.IsCA {
		return nil
	}
	return p
}

func (s *state) trustStill(certs []*x509.Certificate) {
	for _, cert := range certs {
		if len(s.previous) < maxBundleCerts && !contains(s.previous, cert) && (s.next == nil || !s.next.cert.Equal(cert)) {
			s.previous = append(s.previous, cert)
		}
	}
}

// trusted are the authorities by which everything that is served, or may soon
// be, is verified.
func (s *state) trusted() []*x509.Certificate {
	var certs []*x509.Certificate
	for _, p := range []*pair{s.signer, s.next} {
		if p != nil {
			certs = append(certs, p.cert)
		}
	}
	return append(certs, s.previous...)
}

// live is whether the pair that is served passes for all names.
func (s *state) live(names []string) bool {
	if s.served == nil {
		return false
	}
	roots := x509.NewCertPool()
	for _, cert := range s.trusted() {
		roots.AddCert(cert)
	}
	for _, name := range names {
		if _, err := s.served.cert.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: s.now}); err != nil {
			return false
		}
	}
	return true
}

// certificateFor says why the pair that is served has to be replaced, and is
// empty when it is as wanted. There is a signer.
func (s *state) certificateFor(o Options) string {
	switch {
	case len(s.serving.data[certKey]) == 0 && len(s.serving.data[keyKey]) == 0:
		return "there is none"
	case s.servedErr != nil:
		return "it cannot be read"
	case !s.now.Before(s.served.cert.NotAfter):
		return "it has expired"
	case !signed(s.served.cert, s.signer.cert):
		return "another authority signs"
	case !certifies(s.served.cert, o):
		return "it is for other names"
	case s.serving.asked():
		return "the annotation " + RotateAnnotation + " asks for it"
	case !s.now.Before(renewAt(s.served.cert)):
		return "two thirds of its life are over"
	}
	return ""
}

func signed(cert, authority *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, authority.RawSubject) && cert.CheckSignatureFrom(authority) == nil
}

// certifies is whether a certificate is for the names wanted and no others.
func certifies(cert *x509.Certificate, o Options) bool {
	dns, ips := o.addresses()
	have, want := slices.Clone(cert.DNSNames), slices.Clone(dns)
	for _, ip := range cert.IPAddresses {
		have = append(have, ip.String())
	}
	for _, ip := range ips {
		want = append(want, ip.String())
	}
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(slices.Compact(have), slices.Compact(want))
}
