// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

const (
	// backdate is by how much clocks may be behind that of the process that signs.
	backdate = time.Hour
	// serialBytes makes serial numbers that nobody guesses, within the 20 octets
	// of RFC 5280.
	serialBytes = 16
	// maxBundle and maxBundleCerts bound what is taken for a bundle.
	maxBundle      = 64 << 10
	maxBundleCerts = 8

	pemCertificate = "CERTIFICATE"
	pemKey         = "EC PRIVATE KEY"
)

// pair is a certificate with its key.
type pair struct {
	cert            *x509.Certificate
	key             crypto.Signer
	certPEM, keyPEM []byte
}

// parsePair reads a certificate and the key that belongs to it. Its errors hold
// nothing of the key.
func parsePair(certPEM, keyPEM []byte) (*pair, error) {
	if len(certPEM) == 0 || len(keyPEM) == 0 {
		return nil, errors.New("certificate or key is missing")
	}
	parsed, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading certificate and key: %w", err)
	}
	key, ok := parsed.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return &pair{cert: parsed.Leaf, key: key, certPEM: certPEM, keyPEM: keyPEM}, nil
}

// newAuthority makes an authority that signs certificates and no further
// authorities. Each has a name of its own, so that old and new are told apart.
func newAuthority(now time.Time, validity time.Duration) (*pair, error) {
	key, id, err := newKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "ksit-authority-" + hex.EncodeToString(serial.Bytes()[:4])},
		SerialNumber:          serial,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId:          id,
		AuthorityKeyId:        id,
	}
	return sign(template, template, key, key)
}

// newCertificate has the authority sign a certificate for the names of the
// options. It does not outlive the authority.
func newCertificate(authority *pair, o Options, now time.Time) (*pair, error) {
	key, id, err := newKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	dns, ips := o.addresses()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "ksit-serving"},
		SerialNumber:          serial,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(o.Validity),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:              dns,
		IPAddresses:           ips,
		SubjectKeyId:          id,
	}
	if template.NotBefore.Before(authority.cert.NotBefore) {
		template.NotBefore = authority.cert.NotBefore
	}
	if template.NotAfter.After(authority.cert.NotAfter) {
		template.NotAfter = authority.cert.NotAfter
	}
	return sign(template, authority.cert, key, authority.key)
}

func sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, parentKey crypto.Signer) (*pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate %s: %w", template.Subject, err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of the certificate %s: %w", template.Subject, err)
	}
	return parsePair(
		pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: keyDER}))
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generating a key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("encoding a public key: %w", err)
	}
	sum := sha256.Sum256(public)
	return key, sum[:20], nil
}

func newSerial() (*big.Int, error) {
	raw := make([]byte, serialBytes)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	raw[0] = raw[0]&0x7f | 0x40 // Positive, and of full length.
	return new(big.Int).SetBytes(raw), nil
}

// parseBundle reads the certificates of authorities that are valid at the time
// given, and passes over everything else.
func parseBundle(data []byte, now time.Time) []*x509.Certificate {
	if len(data) > maxBundle {
		return nil
	}
	var certs []*x509.Certificate
	for len(certs) < maxBundleCerts {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if block.Type == pemCertificate && err == nil && cert.IsCA && valid(cert, now) {
			certs = append(certs, cert)
		}
	}
	return certs
}

// encodeBundle writes certificates as PEM, each once, the oldest first: a bundle
// stays as it is when another of its authorities signs.
func encodeBundle(certs []*x509.Certificate) []byte {
	sorted := slices.SortedFunc(slices.Values(certs), func(a, b *x509.Certificate) int {
		if order := a.NotBefore.Compare(b.NotBefore); order != 0 {
			return order
		}
		return bytes.Compare(a.Raw, b.Raw)
	})
	var out []byte
	for i, cert := range sorted {
		if i == 0 || !cert.Equal(sorted[i-1]) {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert.Raw})...)
		}
	}
	return out
}

func contains(certs []*x509.Certificate, cert *x509.Certificate) bool {
	for _, other := range certs {
		if other.Equal(cert) {
			return true
		}
	}
	return false
}

func valid(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && now.Before(cert.NotAfter)
}

// renewAt is when a certificate is replaced: after two thirds of its life, less
// up to a sixteenth of it, by its serial number, so that what was made together
// is not renewed together, and every process comes to the same answer.
func renewAt(cert *x509.Certificate) time.Time {
	life := cert.NotAfter.Sub(cert.NotBefore)
	sum := sha256.Sum256(cert.SerialNumber.Bytes())
	jitter := time.Duration(float64(life) / 16 * float64(sum[0]) / 256)
	return cert.NotBefore.Add(life/3*2 - jitter)
}
