// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccessFromSecrets(t *testing.T) {
	authority := newAuthority(t)
	certificate, key := authority.issue(t)
	_, otherKey := authority.issue(t)
	for name, test := range map[string]struct {
		secret, ca map[string]string
		want       *Access
		fails      string
	}{
		"neither is referred to": {},
		"a password": {
			secret: map[string]string{"username": "me", "password": "topsecret"},
			want:   &Access{Username: "me", Password: "topsecret"},
		},
		"a token":              {secret: map[string]string{"token": "topsecret"}, want: &Access{Token: "topsecret"}},
		"a CA alone":           {ca: map[string]string{"ca.crt": authority.pem}, want: &Access{CA: []byte(authority.pem)}},
		"a client certificate": {secret: map[string]string{"tls.crt": certificate, "tls.key": key}, want: &Access{Certificate: []byte(certificate), Key: []byte(key)}},
		"everything that goes together, and a key that is not used": {
			secret: map[string]string{"username": "me", "password": "topsecret", "tls.crt": certificate, "tls.key": key, "ca.crt": "x"},
			ca:     map[string]string{"ca.crt": authority.pem},
			want:   &Access{Username: "me", Password: "topsecret", Certificate: []byte(certificate), Key: []byte(key), CA: []byte(authority.pem)},
		},
		"a Secret without data":          {secret: map[string]string{}, fails: "none of the keys"},
		"a pull Secret":                  {secret: map[string]string{".dockerconfigjson": "topsecret"}, fails: "none of the keys"},
		"no password":                    {secret: map[string]string{"username": "topsecret"}, fails: "only one"},
		"an empty password":              {secret: map[string]string{"username": "topsecret", "password": ""}, fails: "only one"},
		"a password and a token":         {secret: map[string]string{"username": "topsecret", "password": "topsecret", "token": "topsecret"}, fails: "token"},
		"a colon in the name":            {secret: map[string]string{"username": "topsecret:", "password": "topsecret"}, fails: "key username holds a colon"},
		"a line break after a password":  {secret: map[string]string{"username": "me", "password": "topsecret\n"}, fails: "key password holds a line break"},
		"a header in a token":            {secret: map[string]string{"token": "topsecret\r\nHost: other"}, fails: "key token holds a line break"},
		"a certificate without a key":    {secret: map[string]string{"tls.crt": certificate}, fails: "only one"},
		"a key without a certificate":    {secret: map[string]string{"tls.key": "topsecret"}, fails: "only one"},
		"a key of another certificate":   {secret: map[string]string{"tls.crt": certificate, "tls.key": otherKey}, fails: "tls.crt and tls.key"},
		"a certificate that is not PEM":  {secret: map[string]string{"tls.crt": "topsecret", "tls.key": "topsecret"}, fails: "tls.crt and tls.key"},
		"too large a token":              {secret: map[string]string{"token": strings.Repeat("topsecret", 8<<10)}, fails: "key token is larger than 64 KiB"},
		"a Secret of the CA without one": {ca: map[string]string{"tls.crt": authority.pem}, fails: "no key ca.crt"},
		"a CA that is not PEM":           {ca: map[string]string{"ca.crt": "topsecret"}, fails: "ca.crt holds no certificate"},
		"too large a CA":                 {ca: map[string]string{"ca.crt": strings.Repeat("topsecret", 32<<10)}, fails: "ca.crt is larger"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := AccessFromSecrets(asData(test.secret), asData(test.ca))
			if test.fails == "" {
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Fatal(err, diff)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "topsecret") {
				t.Fatalf("error %v, want one about %q without a value", err, test.fails)
			}
		})
	}
}

func asData(in map[string]string) map[string][]byte {
	if in == nil {
		return nil
	}
	out := map[string][]byte{}
	for key, value := range in {
		out[key] = []byte(value)
	}
	return out
}

func FuzzAccessFromSecrets(f *testing.F) {
	f.Add("username", []byte("me"), "password", []byte("right"), []byte(""))
	f.Add("token", []byte("x"), "tls.crt", []byte("-----BEGIN CERTIFICATE-----"), []byte("-----BEGIN CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, key string, value []byte, other string, more, ca []byte) {
		access, err := AccessFromSecrets(map[string][]byte{key: value, other: more}, map[string][]byte{caKey: ca})
		if err == nil && !access.identifies() {
			t.Error("a Secret of nothing is taken for credentials")
		}
		// Short ones are part of every sentence.
		if err != nil && len(value) > 12 && strings.Contains(err.Error(), string(value)) {
			t.Errorf("the error %q tells a value", err)
		}
	})
}
