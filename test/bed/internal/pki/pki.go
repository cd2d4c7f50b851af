// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the certificates of a bed. They are for machines that are
// thrown away: valid for a year, keys on disk without a passphrase.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

const validity = 365 * 24 * time.Hour

// Pair is a certificate and its key, both PEM.
type Pair struct {
	Cert, Key []byte
}

// Authority signs certificates.
type Authority struct {
	Pair
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes a certificate authority that signs itself.
func NewAuthority(name string) (*Authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	pair, cert, key, err := issue(template, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority %s: %w", name, err)
	}
	return &Authority{Pair: pair, cert: cert, key: key}, nil
}

// Server makes a serving certificate for the given DNS names and IP addresses.
func (a *Authority) Server(hosts ...string) (Pair, error) {
	return a.serving(hosts, x509.ExtKeyUsageServerAuth)
}

// Peer makes a certificate for one of several servers that are each other's
// clients, good for both sides.
func (a *Authority) Peer(hosts ...string) (Pair, error) {
	return a.serving(hosts, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
}

func (a *Authority) serving(hosts []string, usages ...x509.ExtKeyUsage) (Pair, error) {
	if len(hosts) == 0 {
		return Pair{}, fmt.Errorf("a serving certificate needs at least one name")
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: usages,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	pair, _, _, err := issue(template, a.cert, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("making a serving certificate for %s: %w", hosts[0], err)
	}
	return pair, nil
}

// Client makes a client certificate that says user and groups in the way that
// Kubernetes reads them: common name and organisations.
func (a *Authority) Client(user string, groups ...string) (Pair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	pair, _, _, err := issue(template, a.cert, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("making a client certificate for %s: %w", user, err)
	}
	return pair, nil
}

// SigningKey makes a key pair for service account tokens: the private and the
// public key, PEM.
func SigningKey() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	if private, err = encodeKey(key); err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("encoding a public key: %w", err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// issue completes the template with a serial number, a validity and a new key,
// and has it signed by the parent, or by itself without one.
func issue(template, parent *x509.Certificate, parentKey crypto.Signer) (Pair, *x509.Certificate, crypto.Signer, error) {
	fail := func(err error) (Pair, *x509.Certificate, crypto.Signer, error) { return Pair{}, nil, nil, err }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return fail(err)
	}
	// An hour back, for clocks that do not agree.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return fail(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return fail(err)
	}
	pair := Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: keyPEM}
	return pair, cert, key, nil
}

// encodeKey uses the type-specific form, which every Kubernetes component reads.
func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
