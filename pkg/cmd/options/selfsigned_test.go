// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSelfSigned checks that the certificate that ksit server makes for itself
// stays as long as it is valid, however near its end, and that another is made
// when that is over.
func TestSelfSigned(t *testing.T) {
	dir := t.TempDir()
	start := func() []byte {
		t.Helper()
		o := NewServer(newRegistry(t))
		parse(t, o, "--data-dir="+dir)
		if err := o.Complete(); err != nil {
			t.Fatal(err)
		}
		cert, err := os.ReadFile(filepath.Join(dir, "certs", "ksit-apiserver.crt"))
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	first := start()
	if string(start()) != string(first) {
		t.Fatal("another start makes another certificate")
	}
	o := NewAPIServer(newRegistry(t)).Recommended.SecureServing.ServerCert
	o.CertDirectory = filepath.Join(dir, "certs")
	for _, test := range []struct {
		name  string
		after time.Duration
		gone  bool
	}{{"new", 0, false}, {"near its end", 364 * 24 * time.Hour, false}, {"expired", 366 * 24 * time.Hour, true}} {
		if err := replaceExpired(&o, time.Now().Add(test.after)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ksit-apiserver.crt", "ksit-apiserver.key"} {
			if _, err := os.Stat(filepath.Join(o.CertDirectory, name)); os.IsNotExist(err) != test.gone {
				t.Errorf("%s: %s: %v", test.name, name, err)
			}
		}
	}
	if string(start()) == string(first) {
		t.Error("the expired certificate is back")
	}
	if err := os.WriteFile(filepath.Join(o.CertDirectory, "ksit-apiserver.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceExpired(&o, time.Now()); err == nil {
		t.Error("what is no certificate is passed over")
	}
}
