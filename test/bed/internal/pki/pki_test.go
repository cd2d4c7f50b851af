// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"

	"ksit.io/ksit/test/bed/internal/pki"
)

func TestCertificates(t *testing.T) {
	authority, err := pki.NewAuthority("authority")
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewAuthority("authority")
	if err != nil {
		t.Fatal(err)
	}
	server, err := authority.Server("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	client, err := authority.Client("alice", "developers", "admins")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		pair  pki.Pair
		usage x509.ExtKeyUsage
		host  string
	}{
		{"server by name", server, x509.ExtKeyUsageServerAuth, "localhost"},
		{"server by address", server, x509.ExtKeyUsageServerAuth, "127.0.0.1"},
		{"client", client, x509.ExtKeyUsageClientAuth, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaf := parse(t, tt.pair)
			options := x509.VerifyOptions{Roots: pool(t, authority), KeyUsages: []x509.ExtKeyUsage{tt.usage}, DNSName: tt.host}
			if _, err := leaf.Verify(options); err != nil {
				t.Error(err)
			}
			options.Roots = pool(t, other)
			if _, err := leaf.Verify(options); err == nil {
				t.Error("an authority of the same name, but with another key, is accepted")
			}
		})
	}
	subject := parse(t, client).Subject
	slices.Sort(subject.Organization)
	if subject.CommonName != "alice" || !slices.Equal(subject.Organization, []string{"admins", "developers"}) {
		t.Errorf("the client's subject is %s", subject)
	}
}

func parse(t *testing.T, pair pki.Pair) *x509.Certificate {
	t.Helper()
	// Also checks that certificate and key belong together.
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf
}

func pool(t *testing.T, authority *pki.Authority) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Cert) {
		t.Fatal("the authority's certificate is unreadable")
	}
	return roots
}
