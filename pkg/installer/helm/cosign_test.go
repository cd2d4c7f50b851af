// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

func TestCosign(t *testing.T) {
	keys, strangers := cosignKeys(t), cosignKeys(t)
	own := keys["ECDSA"]
	const otherDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	public := func(signers ...crypto.Signer) map[string][]byte {
		out := map[string][]byte{"readme": []byte("x")}
		for i, signer := range signers {
			out[string(rune('a'+i))+".pub"] = publicPEM(t, signer)
		}
		return out
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		// sign is given the digest of the chart's manifest.
		sign     func(t *testing.T, s *ociServer, digest string)
		chart    string
		keys     map[string][]byte
		terminal bool
		fails    string
	}{
		"by one of the keys": {
			sign: func(t *testing.T, s *ociServer, digest string) { s.cosign(t, "charts/web", digest, digest, own) },
			keys: public(strangers["RSA"], own),
		},
		"by others as well": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.cosign(t, "charts/web", digest, digest, strangers["ECDSA"], strangers["RSA"], own)
			},
			keys: public(own),
		},
		"by a stranger": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.cosign(t, "charts/web", digest, digest, strangers["ECDSA"])
			},
			keys:     public(own, keys["RSA"], keys["Ed25519"]),
			terminal: true, fails: "not signed with cosign by a key of verify.secretRef",
		},
		"of another manifest": {
			sign:     func(t *testing.T, s *ociServer, digest string) { s.cosign(t, "charts/web", digest, otherDigest, own) },
			keys:     public(own),
			terminal: true, fails: "about another chart",
		},
		"not signed": {
			sign: func(*testing.T, *ociServer, string) {}, keys: public(own), fails: "no signature of cosign for sha256:",
		},
		"a tag without signatures": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.pushManifest(t, "charts/web", strings.ReplaceAll(digest, ":", "-")+".sig",
					s.layer("text/plain", []byte("x"), nil), s.layer(payloadMediaType, []byte("{}"), map[string]string{signatureAnnotation: "?"}),
					s.layer(payloadMediaType, []byte("{}"), map[string]string{signatureAnnotation: "eA=="}))
			},
			keys: public(own), fails: "no signature of cosign",
		},
		"a payload that is too large": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.pushManifest(t, "charts/web", strings.ReplaceAll(digest, ":", "-")+".sig",
					s.layer(payloadMediaType, make([]byte, maxSignatureBytes+1), map[string]string{signatureAnnotation: "eA=="}))
			},
			keys: public(own), fails: "no signature of cosign",
		},
		"an older version under a new tag": {
			chart: "0.9.0",
			sign:  func(t *testing.T, s *ociServer, digest string) { s.cosign(t, "charts/web", digest, digest, own) },
			keys:  public(own), terminal: true, fails: "what is signed is chart web 0.9.0",
		},
		"by a bundle": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.refer(t, "charts/web", digest, bundleOf(t, own, digest, signaturePredicate))
			},
			keys: public(own),
		},
		"by a bundle of a stranger": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.refer(t, "charts/web", digest, bundleOf(t, strangers["ECDSA"], digest, signaturePredicate))
			},
			keys: public(own), terminal: true, fails: "not signed with cosign",
		},
		"by a bundle of another manifest": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.refer(t, "charts/web", digest, bundleOf(t, own, otherDigest, signaturePredicate))
			},
			keys: public(own), terminal: true, fails: "about another chart",
		},
		"an attestation is no signature": {
			sign: func(t *testing.T, s *ociServer, digest string) {
				s.refer(t, "charts/web", digest, bundleOf(t, own, digest, "https://spdx.dev/Document"))
			},
			keys: public(own), fails: "no signature of cosign",
		},
		"no keys": {
			sign: func(*testing.T, *ociServer, string) {}, keys: map[string][]byte{"cosign.key": []byte("topsecret")},
			terminal: true, fails: "no key whose name ends with .pub",
		},
		"a key that is none": {
			sign: func(*testing.T, *ociServer, string) {}, keys: map[string][]byte{"a.pub": []byte("topsecret")},
			terminal: true, fails: "key a.pub of the Secret keys: it must be a public key in PEM",
		},
		"a key that is too short": {
			sign: func(*testing.T, *ociServer, string) {}, keys: public(short), terminal: true, fails: "RSA key of 1024 bits",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveOCI(t)
			if test.chart == "" {
				test.chart = "1.0.0"
			}
			digest := server.push(t, "charts/web", "1.0.0", packChart(t, "web", test.chart, nil), chartMediaTypes[0])
			test.sign(t, server, digest)
			s := newSources(t, Options{CacheDir: t.TempDir(), AllowLocalSources: true}, fetch.Options{AllowLocal: true})
			ref := reference(t, strings.Replace(server.URL, "http:", "oci:", 1)+"/charts", "web", "1.0.0")
			if _, err := s.get(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			ref.verify = verifyBy(v1alpha1.VerificationCosign, test.keys)
			_, err := s.get(t.Context(), ref)
			if test.fails == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, installer.ReasonVerificationFailed, test.terminal, "verifying chart web 1.0.0", test.fails)
			if strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the error tells what is in the Secret: %v", err)
			}
		})
	}
	for kind, key := range keys {
		t.Run("a key of "+kind, func(t *testing.T) {
			parsed, err := parsePublicKey(publicPEM(t, key))
			if err != nil {
				t.Fatal(err)
			}
			signature := signMessage(t, key, []byte("x"))
			if !verifies(parsed, []byte("x"), signature) || verifies(parsed, []byte("y"), signature) || verifies(parsed, []byte("x"), nil) {
				t.Error("it does not tell a signature from none")
			}
		})
	}
}

func TestVerificationWhereThereIsNone(t *testing.T) {
	repo := serveCharts(t)
	repo.add(t, "web", "1.0.0", nil)
	public := map[string][]byte{"a.pub": publicPEM(t, cosignKeys(t)["ECDSA"])}
	for name, test := range map[string]struct {
		provider v1alpha1.VerificationProvider
		fails    string
	}{
		"cosign for a repository of http": {v1alpha1.VerificationCosign, "repository of http"},
		"a provider that is none":         {"guess", "must be provenance or cosign"},
	} {
		t.Run(name, func(t *testing.T) {
			ref := reference(t, repo.URL, "web", "1.0.0")
			ref.verify = verifyBy(test.provider, public)
			_, err := newSources(t, Options{}, fetch.Options{AllowLocal: true}).get(t.Context(), ref)
			wantReason(t, err, installer.ReasonVerificationFailed, true, test.fails)
		})
	}
	t.Run("a registry that fails for a while", func(t *testing.T) {
		ours := errors.New("x")
		v := verifyBy(v1alpha1.VerificationCosign, public)
		err := v.bad("web", "1.0.0", installer.Errorf(installer.ReasonRepositoryUnreachable, "later: %w", ours))
		wantReason(t, err, installer.ReasonRepositoryUnreachable, false, "verifying chart web 1.0.0: later")
		if !errors.Is(err, ours) {
			t.Error("the cause is lost")
		}
	})
	t.Run("a parser that panics", func(t *testing.T) {
		err := verifyBy(v1alpha1.VerificationCosign, public).check(t.Context(), "web", archive{version: "1.0.0"})
		wantReason(t, err, installer.ReasonVerificationFailed, true, "cannot be read")
	})
}

// FuzzCosign makes sure that nothing ends the process, and that nothing counts
// as signed by somebody who signed nothing.
func FuzzCosign(f *testing.F) {
	key := cosignKeys(f)["ECDSA"]
	digest := "sha256:" + strings.Repeat("a", 64)
	f.Add(bundleOf(f, cosignKeys(f)["RSA"], digest, signaturePredicate), publicPEM(f, key))
	f.Add([]byte(`{"critical":{"image":{"docker-manifest-digest":"`+digest+`"},"type":"cosign container image signature"}}`), []byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"))
	f.Fuzz(func(t *testing.T, data, pem []byte) {
		_, _ = parsePublicKey(pem)
		all, _ := parseBundle(data)
		if subjects, err := subjectOfPayload(data); err == nil {
			all = append(all, cosignature{message: data, signature: data, subjects: subjects})
		}
		if checkCosign(digest, all, []crypto.PublicKey{key.Public()}) == nil {
			t.Error("it counts as signed")
		}
		var content any
		if json.Unmarshal(data, &content) != nil && len(all) > 0 {
			t.Error("what is not JSON has signatures")
		}
	})
}

// FuzzMetadata makes sure that no archive ends the process.
func FuzzMetadata(f *testing.F) {
	f.Add(packChart(f, "web", "1.0.0", nil))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = readMetadata(data) })
}
