// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// secret is in every kubeconfig of these tests; no error may hold it.
const secret = "s3cr3t-t0ken"

// document is a kubeconfig that tests change.
type document map[string]any

// valid returns a kubeconfig with a token.
func valid() document {
	return document{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "one",
		"contexts":        []any{map[string]any{"name": "one", "context": map[string]any{"cluster": "c", "user": "u"}}},
		"clusters":        []any{map[string]any{"name": "c", "cluster": map[string]any{"server": "https://10.0.0.1:6443"}}},
		"users":           []any{map[string]any{"name": "u", "user": map[string]any{"token": secret}}},
	}
}

func (d document) cluster() map[string]any {
	return d["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)
}

func (d document) user() map[string]any {
	return d["users"].([]any)[0].(map[string]any)["user"].(map[string]any)
}

func (d document) bytes(t testing.TB) []byte {
	t.Helper()
	data, err := yaml.Marshal(map[string]any(d))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pair returns a self-signed certificate and its key in PEM.
func pair(t testing.TB, notAfter time.Time) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// jwt returns an unsigned token with the claims.
func jwt(t testing.TB, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "." + encode([]byte("signature"))
}

func TestParseKubeconfigRefuses(t *testing.T) {
	certificate, key := pair(t, time.Now().Add(time.Hour))
	_, otherKey := pair(t, time.Now().Add(time.Hour))
	b64 := base64.StdEncoding.EncodeToString
	tests := map[string]struct {
		change func(document)
		raw    string
		want   Reason
	}{
		"empty":                 {raw: " \n", want: ReasonInvalid},
		"too large":             {raw: strings.Repeat("#", MaxKubeconfigSize+1), want: ReasonTooLarge},
		"garbage":               {raw: "\x00\x01" + secret, want: ReasonInvalid},
		"text":                  {raw: secret, want: ReasonInvalid},
		"broken YAML":           {raw: "users:\n- user: {token: " + secret + "\n", want: ReasonInvalid},
		"wrong type":            {raw: "apiVersion: v1\nkind: Config\nusers: " + secret, want: ReasonInvalid},
		"wrong type of a field": {raw: "apiVersion: v1\nkind: Config\nusers: [{name: u, user: {token: [" + secret + "]}}]", want: ReasonInvalid},
		"bad base64":            {change: func(d document) { d.user()["client-key-data"] = secret }, want: ReasonInvalid},
		"another kind":          {raw: "apiVersion: v1\nkind: Secret\ndata: {a: " + secret + "}", want: ReasonInvalid},
		"no context":            {change: func(d document) { delete(d, "contexts"); delete(d, "current-context") }, want: ReasonInvalid},
		"unknown context":       {change: func(d document) { d["current-context"] = secret }, want: ReasonInvalid},
		"unknown cluster":       {change: func(d document) { d["clusters"] = []any{} }, want: ReasonInvalid},
		"unknown user":          {change: func(d document) { d["users"] = []any{} }, want: ReasonInvalid},
		"no server":             {change: func(d document) { delete(d.cluster(), "server") }, want: ReasonServerRefused},
		"http":                  {change: func(d document) { d.cluster()["server"] = "http://10.0.0.1" }, want: ReasonServerRefused},
		"another scheme":        {change: func(d document) { d.cluster()["server"] = "ftp://10.0.0.1" }, want: ReasonServerRefused},
		"no scheme":             {change: func(d document) { d.cluster()["server"] = "10.0.0.1:6443" }, want: ReasonServerRefused},
		"server with user":      {change: func(d document) { d.cluster()["server"] = "https://a:" + secret + "@10.0.0.1" }, want: ReasonServerRefused},
		"server with query":     {change: func(d document) { d.cluster()["server"] = "https://10.0.0.1/?t=" + secret }, want: ReasonServerRefused},
		"malformed server":      {change: func(d document) { d.cluster()["server"] = "https://%zz" + secret }, want: ReasonServerRefused},
		"insecure":              {change: func(d document) { d.cluster()["insecure-skip-tls-verify"] = true }, want: ReasonInsecureRefused},
		"proxy":                 {change: func(d document) { d.cluster()["proxy-url"] = "http://x:" + secret + "@10.0.0.1" }, want: ReasonProxyRefused},
		"CA file":               {change: func(d document) { d.cluster()["certificate-authority"] = "/etc/passwd" }, want: ReasonFileRefused},
		"CA malformed":          {change: func(d document) { d.cluster()["certificate-authority-data"] = b64([]byte(secret)) }, want: ReasonCredentialsInvalid},
		"token file":            {change: func(d document) { d.user()["tokenFile"] = "/etc/passwd" }, want: ReasonFileRefused},
		"certificate file":      {change: func(d document) { d.user()["client-certificate"] = "/etc/passwd" }, want: ReasonFileRefused},
		"key file":              {change: func(d document) { d.user()["client-key"] = "/etc/passwd" }, want: ReasonFileRefused},
		"exec": {change: func(d document) {
			d.user()["exec"] = map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never"}
		}, want: ReasonExecRefused},
		"auth provider":         {change: func(d document) { d.user()["auth-provider"] = map[string]any{"name": "gcp"} }, want: ReasonAuthProviderRefused},
		"as":                    {change: func(d document) { d.user()["as"] = "root" }, want: ReasonImpersonationRefused},
		"as-uid":                {change: func(d document) { d.user()["as-uid"] = "0" }, want: ReasonImpersonationRefused},
		"as-groups":             {change: func(d document) { d.user()["as-groups"] = []any{"system:masters"} }, want: ReasonImpersonationRefused},
		"as-user-extra":         {change: func(d document) { d.user()["as-user-extra"] = map[string]any{"a": []any{"b"}} }, want: ReasonImpersonationRefused},
		"no credentials":        {change: func(d document) { delete(d.user(), "token") }, want: ReasonNoCredentials},
		"blank token":           {change: func(d document) { d.user()["token"] = " \n" }, want: ReasonNoCredentials},
		"token with line break": {change: func(d document) { d.user()["token"] = secret + "\nX-Evil: 1" }, want: ReasonCredentialsInvalid},
		"certificate alone":     {change: func(d document) { d.user()["client-certificate-data"] = b64(certificate) }, want: ReasonCredentialsInvalid},
		"key alone":             {change: func(d document) { d.user()["client-key-data"] = b64(key) }, want: ReasonCredentialsInvalid},
		"another key": {change: func(d document) {
			d.user()["client-certificate-data"], d.user()["client-key-data"] = b64(certificate), b64(otherKey)
		}, want: ReasonCredentialsInvalid},
		"password with controls": {change: func(d document) {
			delete(d.user(), "token")
			d.user()["username"], d.user()["password"] = "u", secret+"\n"
		}, want: ReasonCredentialsInvalid},
		"two contexts, none current": {change: func(d document) {
			delete(d, "current-context")
			d["contexts"] = append(d["contexts"].([]any), map[string]any{"name": "two", "context": map[string]any{"cluster": "c", "user": "u"}})
		}, want: ReasonInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := []byte(test.raw)
			if test.change != nil {
				d := valid()
				test.change(d)
				data = d.bytes(t)
			}
			config, info, err := ParseKubeconfig(data, ParseOptions{})
			if config != nil || info != (Info{}) {
				t.Errorf("got a config for a kubeconfig that is to be refused")
			}
			if got := ReasonOf(err); got != test.want {
				t.Fatalf("reason %q (%v), want %q", got, err, test.want)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
				t.Errorf("the error quotes the kubeconfig: %v", err)
			}
		})
	}
}

func TestParseKubeconfigAccepts(t *testing.T) {
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	certificate, key := pair(t, expires)
	b64 := base64.StdEncoding.EncodeToString
	tests := map[string]struct {
		change  func(document)
		options ParseOptions
		want    Info
	}{
		"token": {want: Info{Endpoint: "https://10.0.0.1:6443"}},
		"loopback": {
			change: func(d document) { d.cluster()["server"] = "https://127.0.0.1:6443/" },
			want:   Info{Endpoint: "https://127.0.0.1:6443"},
		},
		"path": {
			change: func(d document) { d.cluster()["server"] = "https://rancher.example/k8s/clusters/c-1" },
			want:   Info{Endpoint: "https://rancher.example/k8s/clusters/c-1"},
		},
		"certificate": {
			change: func(d document) {
				delete(d.user(), "token")
				d.user()["client-certificate-data"], d.user()["client-key-data"] = b64(certificate), b64(key)
			},
			want: Info{Endpoint: "https://10.0.0.1:6443", ExpiresAt: expires},
		},
		"token that ends first": {
			change: func(d document) {
				d.user()["token"] = jwt(t, map[string]any{"exp": expires.Add(-time.Minute).Unix()})
				d.user()["client-certificate-data"], d.user()["client-key-data"] = b64(certificate), b64(key)
			},
			want: Info{Endpoint: "https://10.0.0.1:6443", ExpiresAt: expires.Add(-time.Minute)},
		},
		"token that ends with a fraction": {
			change: func(d document) { d.user()["token"] = jwt(t, map[string]any{"exp": 1.5e9 + 0.5}) },
			want:   Info{Endpoint: "https://10.0.0.1:6443", ExpiresAt: time.Unix(1.5e9, 0).UTC()},
		},
		"token that ends after all time": {
			change: func(d document) { d.user()["token"] = jwt(t, map[string]any{"exp": 1e300}) },
			want:   Info{Endpoint: "https://10.0.0.1:6443"},
		},
		"token that ends at a word": {
			change: func(d document) { d.user()["token"] = jwt(t, map[string]any{"exp": "soon"}) },
			want:   Info{Endpoint: "https://10.0.0.1:6443"},
		},
		"insecure, allowed": {
			change:  func(d document) { d.cluster()["insecure-skip-tls-verify"] = true },
			options: ParseOptions{AllowInsecure: true},
			want:    Info{Endpoint: "https://10.0.0.1:6443"},
		},
		"http, allowed": {
			change:  func(d document) { d.cluster()["server"] = "http://10.0.0.1" },
			options: ParseOptions{AllowInsecure: true},
			want:    Info{Endpoint: "http://10.0.0.1"},
		},
		"one context, none current": {
			change: func(d document) { delete(d, "current-context") },
			want:   Info{Endpoint: "https://10.0.0.1:6443"},
		},
		"another user with exec": {
			change: func(d document) {
				d["users"] = append(d["users"].([]any), map[string]any{"name": "v", "user": map[string]any{
					"exec": map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never"}}})
			},
			want: Info{Endpoint: "https://10.0.0.1:6443"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := valid()
			if test.change != nil {
				test.change(d)
			}
			config, info, err := ParseKubeconfig(d.bytes(t), test.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, info); diff != "" {
				t.Errorf("info (-want +got):\n%s", diff)
			}
			if config.Host != test.want.Endpoint {
				t.Errorf("host %q", config.Host)
			}
		})
	}
}

// FuzzParseKubeconfig looks for inputs that are accepted although they must not
// be, and for errors that quote their input.
func FuzzParseKubeconfig(f *testing.F) {
	f.Add(valid().bytes(f))
	for _, change := range []func(document){
		func(d document) { d.user()["tokenFile"] = "/etc/passwd" },
		func(d document) { d.user()["as-groups"] = []any{"system:masters"} },
		func(d document) { d.cluster()["proxy-url"] = "http://127.0.0.1" },
		func(d document) { d.cluster()["insecure-skip-tls-verify"] = true },
		func(d document) {
			d.user()["exec"] = map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "command": "sh"}
		},
		func(d document) { d.user()["token"] = jwt(f, map[string]any{"exp": 1}) },
	} {
		d := valid()
		change(d)
		f.Add(d.bytes(f))
	}
	f.Add([]byte(`{"apiVersion":"v1","kind":"Config","users":[{"name":"u","user":{"token":1}}]}`))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		config, info, err := ParseKubeconfig(data, ParseOptions{})
		if err != nil {
			if ReasonOf(err) == "" {
				t.Errorf("an error without reason: %v", err)
			}
			if token := secret; strings.Contains(err.Error(), token) {
				t.Errorf("the error quotes the kubeconfig: %v", err)
			}
			return
		}
		switch {
		case !strings.HasPrefix(config.Host, "https://"), info.Endpoint != config.Host:
			t.Errorf("accepted the server %q", config.Host)
		case config.Insecure, config.Proxy != nil, config.ExecProvider != nil, config.AuthProvider != nil,
			config.BearerTokenFile != "", config.CAFile != "", config.CertFile != "", config.KeyFile != "",
			config.Impersonate.UserName != "", len(config.Impersonate.Groups) > 0:
			t.Errorf("accepted what is to be refused: %v", config)
		}
		if _, _, err := newTransport(config); err != nil {
			t.Errorf("accepted what no transport can be made of: %v", err)
		}
	})
}
