// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// The keys of Secrets that an Access is made of.
const (
	usernameKey    = "username"
	passwordKey    = "password"
	tokenKey       = "token"
	certificateKey = "tls.crt"
	privateKeyKey  = "tls.key"
	caKey          = "ca.crt"
)

// What is common is a hundredth of maxAccessBytes; but the CA certificates may be
// those of a whole system.
const (
	maxAccessBytes = 64 << 10
	maxCABytes     = 256 << 10
)

// AccessFromSecrets returns what the data of the Secrets of secretRef and
// caSecretRef give. One that is not referred to is nil; the caller gives an empty
// map for a Secret without data, which is an error. The Access is nil where both
// are. Errors name keys, never values.
func AccessFromSecrets(secret, ca map[string][]byte) (*Access, error) {
	if secret == nil && ca == nil {
		return nil, nil
	}
	access := &Access{}
	if secret != nil {
		if err := access.readCredentials(secret); err != nil {
			return nil, err
		}
	}
	if ca != nil {
		if err := access.readCA(ca); err != nil {
			return nil, err
		}
	}
	return access, nil
}

func (a *Access) readCredentials(secret map[string][]byte) error {
	for _, key := range []string{usernameKey, passwordKey, tokenKey, certificateKey, privateKeyKey} {
		if len(secret[key]) > maxAccessBytes {
			return fmt.Errorf("the value of key %s is larger than %d KiB", key, maxAccessBytes>>10)
		}
	}
	a.Username, a.Password, a.Token = string(secret[usernameKey]), string(secret[passwordKey]), string(secret[tokenKey])
	a.Certificate, a.Key = secret[certificateKey], secret[privateKeyKey]
	if !a.identifies() && len(a.Key) == 0 {
		return fmt.Errorf("it has none of the keys %s and %s, %s, or %s and %s", usernameKey, passwordKey, tokenKey, certificateKey, privateKeyKey)
	}
	if err := a.checkCredentials(); err != nil {
		return err
	}
	if (len(a.Certificate) == 0) != (len(a.Key) == 0) {
		return fmt.Errorf("of the keys %s and %s it has only one: a client certificate needs both", certificateKey, privateKeyKey)
	}
	if len(a.Certificate) > 0 {
		if _, err := tls.X509KeyPair(a.Certificate, a.Key); err != nil {
			return fmt.Errorf("the keys %s and %s must hold a certificate and the private key that belongs to it, both in PEM", certificateKey, privateKeyKey)
		}
	}
	return nil
}

func (a *Access) checkCredentials() error {
	switch {
	case a.Token != "" && (a.Username != "" || a.Password != ""):
		return fmt.Errorf("it has the key %s and also %s or %s: only one way of authentication can be used", tokenKey, usernameKey, passwordKey)
	case (a.Username == "") != (a.Password == ""):
		return fmt.Errorf("of the keys %s and %s it has only one, or one of them is empty", usernameKey, passwordKey)
	case strings.Contains(a.Username, ":"):
		return fmt.Errorf("the value of key %s holds a colon, which basic authentication cannot send", usernameKey)
	}
	for _, credential := range []struct{ key, value string }{{usernameKey, a.Username}, {passwordKey, a.Password}, {tokenKey, a.Token}} {
		if strings.IndexFunc(credential.value, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
			return fmt.Errorf("the value of key %s holds a line break or another control character, at its end perhaps: "+
				"kubectl create secret generic --from-literal adds none", credential.key)
		}
	}
	return nil
}

func (a *Access) readCA(ca map[string][]byte) error {
	switch {
	case len(ca[caKey]) == 0:
		return fmt.Errorf("it has no key %s", caKey)
	case len(ca[caKey]) > maxCABytes:
		return fmt.Errorf("the value of key %s is larger than %d KiB", caKey, maxCABytes>>10)
	case !x509.NewCertPool().AppendCertsFromPEM(ca[caKey]):
		return errors.New("the value of key " + caKey + " holds no certificate in PEM")
	}
	a.CA = ca[caKey]
	return nil
}
