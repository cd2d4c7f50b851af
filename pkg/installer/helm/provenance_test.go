// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

func verifyBy(provider v1alpha1.VerificationProvider, keys map[string][]byte) *verification {
	return newVerification(&v1alpha1.ChartVerification{Provider: provider, SecretRef: v1alpha1.LocalReference{Name: "keys"}}, keys)
}

func TestProvenance(t *testing.T) {
	long := time.Now().Add(-48 * time.Hour)
	maintainer, stranger := newPGP(t, packet.Config{}), newPGP(t, packet.Config{})
	expired := newPGP(t, packet.Config{Time: func() time.Time { return long }, KeyLifetimeSecs: 24 * 3600})
	binary, armored := ringOf(t, maintainer)
	strangers, strangersText := ringOf(t, stranger)
	expiredRing, _ := ringOf(t, expired)
	archive, older := packChart(t, "web", "1.0.0", nil), packChart(t, "web", "0.9.0", nil)
	other := packChart(t, "api", "1.0.0", nil)
	good := provenanceOf(t, maintainer, "web", "1.0.0", archive)
	ring := map[string][]byte{"maintainers.gpg": binary}
	for name, test := range map[string]struct {
		archive, file []byte
		keys          map[string][]byte
		terminal      bool
		fails         string
	}{
		"signed":                            {file: good, keys: ring},
		"an armored ring":                   {file: good, keys: map[string][]byte{"maintainers.gpg": armored}},
		"two armored rings in one":          {file: good, keys: map[string][]byte{"all.gpg": append(bytes.Clone(strangersText), append([]byte("\n"), armored...)...)}},
		"one of two rings":                  {file: good, keys: map[string][]byte{"a.gpg": strangers, "b.gpg": binary, "readme": []byte("x")}},
		"Windows line ends":                 {file: bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), keys: ring},
		"by a stranger":                     {file: provenanceOf(t, stranger, "web", "1.0.0", archive), keys: ring, terminal: true, fails: "not signed by a key of verify.secretRef"},
		"of another archive":                {file: provenanceOf(t, maintainer, "web", "1.0.0", older), keys: ring, terminal: true, fails: "SHA-256"},
		"of an older version":               {archive: older, file: provenanceOf(t, maintainer, "web", "0.9.0", older), keys: ring, terminal: true, fails: "what is signed is chart web 0.9.0"},
		"of another chart":                  {archive: other, file: provenanceOf(t, maintainer, "api", "1.0.0", other), keys: ring, terminal: true, fails: "what is signed is chart api 1.0.0"},
		"changed after it was signed":       {file: bytes.Replace(good, []byte("name: web"), []byte("name: wab"), 1), keys: ring, terminal: true, fails: "not valid"},
		"digests after the signed part":     {file: append(clearSign(t, maintainer, packet.Config{}, "name: web\n"), []byte("\n...\nfiles:\n  x: sha256:"+sha256Hex(archive)+"\n")...), keys: ring, terminal: true, fails: "names no archive"},
		"a message without digests":         {file: clearSign(t, maintainer, packet.Config{}, "hello"), keys: ring, terminal: true, fails: "names no archive"},
		"not signed":                        {file: []byte("name: web\n...\nfiles:\n  x: sha256:" + sha256Hex(archive)), keys: ring, terminal: true, fails: "no signed message"},
		"empty":                             {file: []byte{}, keys: ring, terminal: true, fails: "no signed message"},
		"too large":                         {file: make([]byte, maxSignatureBytes+1), keys: ring, terminal: true, fails: "too large"},
		"by a key that has expired":         {file: clearSign(t, expired, packet.Config{Time: func() time.Time { return long }}, "x"), keys: map[string][]byte{"x.gpg": expiredRing}, terminal: true, fails: "expired"},
		"no provenance file":                {keys: ring, fails: "there is no provenance file at"},
		"no keys":                           {file: good, keys: map[string][]byte{"maintainers.pub": binary}, terminal: true, fails: "no key whose name ends with .gpg"},
		"a ring that is none":               {file: good, keys: map[string][]byte{"a.gpg": []byte("topsecret")}, terminal: true, fails: "key a.gpg of the Secret keys is no key ring"},
		"an empty ring":                     {file: good, keys: map[string][]byte{"a.gpg": nil}, terminal: true, fails: "key a.gpg"},
		"a ring cut short, one that is not": {file: good, keys: map[string][]byte{"a.gpg": binary[:len(binary)/2], "b.gpg": binary}, terminal: true, fails: "key a.gpg"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := serveCharts(t)
			if test.archive == nil {
				test.archive = archive
			}
			repo.addArchive("web", "1.0.0", test.archive, "")
			if test.file != nil {
				repo.put("web-1.0.0.tgz.prov", test.file)
			}
			s := newSources(t, Options{CacheDir: t.TempDir()}, fetch.Options{AllowLocal: true})
			ref := reference(t, repo.URL, "web", "1.0.0")
			// What was fetched for somebody who did not ask is in the cache.
			if _, err := s.get(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			ref.verify = verifyBy(v1alpha1.VerificationProvenance, test.keys)
			found, err := s.get(t.Context(), ref)
			if test.fails == "" {
				if err != nil || !bytes.Equal(found.data, test.archive) {
					t.Error(err)
				}
				return
			}
			reason := installer.ReasonVerificationFailed
			if test.fails == "too large" {
				reason = installer.ReasonTooLarge
			}
			wantReason(t, err, reason, test.terminal, "verifying chart web 1.0.0", test.fails)
			if strings.Contains(err.Error(), "topsecret") || len(found.data) > 0 {
				t.Errorf("%d bytes, %v", len(found.data), err)
			}
		})
	}
}

func TestProvenanceElsewhere(t *testing.T) {
	maintainer := newPGP(t, packet.Config{})
	ring, _ := ringOf(t, maintainer)
	archive := packChart(t, "web", "1.0.0", nil)
	file := provenanceOf(t, maintainer, "web", "1.0.0", archive)
	server := serveOCI(t)
	server.push(t, "charts/web", "1.0.0", archive, chartMediaTypes[0], server.layer(provenanceMediaType, file, nil))
	server.push(t, "charts/web", "1.0.0-unsigned", archive, chartMediaTypes[0])
	server.push(t, "charts/web", "1.0.0-large", archive, chartMediaTypes[0], server.layer(provenanceMediaType, make([]byte, maxSignatureBytes+1), nil))
	dir := t.TempDir()
	for name, data := range map[string][]byte{"local-1.0.0.tgz": packChart(t, "local", "1.0.0", nil), "local-2.0.0.tgz": packChart(t, "local", "2.0.0", nil)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	local := provenanceOf(t, maintainer, "local", "1.0.0", packChart(t, "local", "1.0.0", nil))
	if err := os.WriteFile(filepath.Join(dir, "local-1.0.0.tgz.prov"), local, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSources(t, Options{ChartsDir: dir, AllowLocalSources: true}, fetch.Options{AllowLocal: true})
	for name, test := range map[string]struct {
		chart, version string
		terminal       bool
		fails          string
	}{
		"in the artifact":            {"web", "1.0.0", false, ""},
		"not in the artifact":        {"web", "1.0.0-unsigned", false, "has no provenance file"},
		"too large, in the artifact": {"web", "1.0.0-large", true, "larger than 64 KiB"},
		"in the local directory":     {"local", "1.0.0", false, ""},
		"not in the local directory": {"local", "2.0.0", false, "without its provenance file"},
	} {
		t.Run(name, func(t *testing.T) {
			ref := reference(t, strings.Replace(server.URL, "http:", "oci:", 1)+"/charts", test.chart, test.version)
			ref.verify = verifyBy(v1alpha1.VerificationProvenance, map[string][]byte{"a.gpg": ring})
			_, err := s.get(t.Context(), ref)
			if test.fails == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, installer.ReasonVerificationFailed, test.terminal, test.fails)
		})
	}
}

// FuzzProvenance makes sure that nothing in a provenance file or a key ring is
// taken for a signature, or ends the process.
func FuzzProvenance(f *testing.F) {
	maintainer := newPGP(f, packet.Config{})
	binary, armored := ringOf(f, maintainer)
	f.Add(provenanceOf(f, maintainer, "web", "1.0.0", []byte("x")), binary)
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n-----BEGIN PGP SIGNATURE-----\n\n=aaaa\n-----END PGP SIGNATURE-----\n"), armored)
	trusted, err := readKeyRing(binary)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, file, ring []byte) {
		_, _ = readKeyRing(ring)
		_, _ = sumsIn(file)
		if checkProvenance(file, trusted, sha256Hex([]byte("something that was never signed"))) == nil {
			t.Error("it counts as signed")
		}
	})
}
