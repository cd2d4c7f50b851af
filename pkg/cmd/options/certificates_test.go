// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestCertificateFlags(t *testing.T) {
	const both = "--serving-secret=ksit-system/ksit-serving --ca-secret=ksit-system/ksit-ca "
	tests := map[string]struct {
		args string
		want []string // parts of the error; none means valid
	}{
		"none":                        {"", nil},
		"a Secret to serve with":      {"--serving-secret=ksit-system/ksit-serving", nil},
		"KSIT's own":                  {both, nil},
		"KSIT's own, short":           {both + "--certificate-validity=1h --authority-validity=2h --certificate-overlap=10s", nil},
		"names and addresses":         {both + "--serving-names=a.b.svc,127.0.0.1,::1", nil},
		"no namespace":                {"--serving-secret=ksit-serving", []string{`--serving-secret is "ksit-serving", it must be NAMESPACE/NAME`}},
		"no name":                     {both + "--ca-secret=ksit-system/", []string{"--ca-secret is", "NAMESPACE/NAME"}},
		"too much of a name":          {"--serving-secret=a/b/c", []string{"NAMESPACE/NAME"}},
		"with files":                  {"--serving-secret=a/b --tls-cert-file=x --tls-private-key-file=y", []string{"exclude each other"}},
		"an authority without effect": {"--ca-secret=a/b", []string{"--ca-secret needs --serving-secret"}},
		"one Secret for both":         {"--ca-secret=a/b --serving-secret=a/b", []string{"must be different"}},
		"no names":                    {both + "--serving-names=", []string{"--serving-names has 0 names"}},
		"no name of DNS":              {both + "--serving-names=a_b", []string{`"a_b"`, "neither"}},
		"a short life":                {both + "--certificate-validity=1m", []string{"--certificate-validity is 1m0s", "--certificate-overlap is 10m0s"}},
		"an authority that ends soon": {both + "--authority-validity=100h", []string{"--authority-validity is 100h0m0s", "at least twice"}},
		"an authority for ever":       {both + "--authority-validity=900000h", []string{"at most"}},
		"no overlap":                  {both + "--certificate-overlap=1s", []string{"--certificate-overlap is 1s, it must be from 10s"}},
		"overlap for a life":          {both + "--certificate-overlap=1000h", []string{"an eighth"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, manager := NewServer(newRegistry(t)), NewControllerManager()
			for _, o := range []interface {
				options
				Complete() error
			}{server, manager} {
				parse(t, o, strings.Fields(test.args)...)
				server.Etcd.DataDir = t.TempDir()
				if err := o.Complete(); err != nil {
					t.Fatal(err)
				}
				err := o.Validate()
				if len(test.want) == 0 && err != nil {
					t.Errorf("Validate() = %v", err)
				}
				for _, part := range test.want {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("Validate() = %v, want an error with %q", err, part)
					}
				}
			}
		})
	}
}

// TestServingSecretIsAllThatIsServed checks that no certificate is made where one
// comes from the host, and what is made of the flags.
func TestServingSecretIsAllThatIsServed(t *testing.T) {
	o := NewServer(newRegistry(t))
	parse(t, o, "--data-dir="+t.TempDir(), "--serving-secret=a/b", "--ca-secret=c/d")
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	if cert := o.API.Recommended.SecureServing.ServerCert; cert.CertKey.CertFile != "" || cert.GeneratedCert != nil {
		t.Errorf("a certificate was made: %+v", cert)
	}
	got, err := o.Certificates.Options(o.API.Serving)
	if err != nil {
		t.Fatal(err)
	}
	if got.Authority != (types.NamespacedName{Namespace: "c", Name: "d"}) || got.Serving != (types.NamespacedName{Namespace: "a", Name: "b"}) ||
		got.Validity != 90*24*time.Hour || got.Overlap != 10*time.Minute {
		t.Errorf("the options are %+v", got)
	}
}
