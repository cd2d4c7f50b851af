// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

func TestCertificatesAreProper(t *testing.T) {
	o := testOptions()
	authority, err := newAuthority(start, o.AuthorityValidity)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newAuthority(start, o.AuthorityValidity)
	if err != nil {
		t.Fatal(err)
	}
	served, err := newCertificate(authority, o, start)
	if err != nil {
		t.Fatal(err)
	}

	ca := authority.cert
	if !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("the authority is none: %+v", ca)
	}
	if ca.Subject.String() == other.cert.Subject.String() || bytes.Equal(ca.SubjectKeyId, other.cert.SubjectKeyId) {
		t.Error("two authorities have the same name or key")
	}
	if len(ca.SubjectKeyId) == 0 || !bytes.Equal(served.cert.AuthorityKeyId, ca.SubjectKeyId) || len(served.cert.SubjectKeyId) == 0 {
		t.Error("the keys are not identified")
	}
	if served.cert.IsCA || len(served.cert.ExtKeyUsage) != 1 || served.cert.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Error("the certificate is for more than to serve")
	}
	for _, p := range []*pair{authority, served} {
		if key, ok := p.key.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
			t.Errorf("%s has another key", p.cert.Subject)
		}
		if !p.cert.NotBefore.Equal(start.Add(-backdate)) {
			t.Errorf("%s begins at %s", p.cert.Subject, p.cert.NotBefore)
		}
	}
	if _, err := served.cert.Verify(x509.VerifyOptions{Roots: pool(other.cert), CurrentTime: start, DNSName: "localhost"}); err == nil {
		t.Error("another authority verifies it")
	}

	late, err := newCertificate(authority, o, ca.NotAfter.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !late.cert.NotAfter.Equal(ca.NotAfter) {
		t.Errorf("the certificate ends at %s, its authority at %s", late.cert.NotAfter, ca.NotAfter)
	}
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, cert := range certs {
		p.AddCert(cert)
	}
	return p
}

func TestErrorsHoldNoKey(t *testing.T) {
	p, err := newAuthority(start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(p.keyPEM), "\n")[1]
	for _, key := range [][]byte{
		p.keyPEM[:len(p.keyPEM)/2],
		bytes.Replace(p.keyPEM, []byte("\n"), []byte("\nAAAA"), 1),
		[]byte(secret),
	} {
		if _, err := parsePair(p.certPEM, key); err == nil || strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestRenewalIsSpread(t *testing.T) {
	seen := map[time.Time]bool{}
	for range 20 {
		p, err := newAuthority(start, 90*24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		life := p.cert.NotAfter.Sub(p.cert.NotBefore)
		at := renewAt(p.cert)
		if part := float64(at.Sub(p.cert.NotBefore)) / float64(life); part > 0.667 || part < 0.60 {
			t.Errorf("it is renewed when %f of its life is over", part)
		}
		seen[at] = true
	}
	if len(seen) < 5 {
		t.Errorf("20 are renewed at %d times", len(seen))
	}
}

func TestBundlesAreBounded(t *testing.T) {
	var bundle []byte
	for range maxBundleCerts + 2 {
		p, err := newAuthority(start, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		bundle = append(bundle, p.certPEM...)
	}
	if certs := parseBundle(bundle, start); len(certs) != maxBundleCerts {
		t.Errorf("%d certificates are taken", len(certs))
	}
	if certs := parseBundle(append(bundle, make([]byte, maxBundle)...), start); certs != nil {
		t.Error("a bundle without bound is taken")
	}
	if certs := parseBundle(bundle, start.Add(time.Hour)); certs != nil {
		t.Error("what has expired is taken")
	}
}
