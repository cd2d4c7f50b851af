// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// newPGP makes an OpenPGP key.
func newPGP(t testing.TB, config packet.Config) *openpgp.Entity {
	t.Helper()
	config.Algorithm = packet.PubKeyAlgoEdDSA
	entity, err := openpgp.NewEntity("me", "", "me@example.com", &config)
	if err != nil {
		t.Fatal(err)
	}
	return entity
}

// ringOf returns the public keys, as gpg --export and gpg --export --armor do.
func ringOf(t testing.TB, entities ...*openpgp.Entity) (binary, armored []byte) {
	t.Helper()
	var plain, text bytes.Buffer
	for _, entity := range entities {
		if err := entity.Serialize(&plain); err != nil {
			t.Fatal(err)
		}
	}
	writer, err := armor.Encode(&text, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes(), text.Bytes()
}

// clearSign signs a message.
func clearSign(t testing.TB, by *openpgp.Entity, config packet.Config, message string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, err := clearsign.Encode(&out, by.PrivateKey, &config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// provenanceOf makes the .prov of an archive, as helm package --sign does.
func provenanceOf(t testing.TB, by *openpgp.Entity, name, version string, archive []byte) []byte {
	t.Helper()
	return clearSign(t, by, packet.Config{}, fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n\n...\nfiles:\n  %s-%s.tgz: sha256:%s\n",
		name, version, name, version, sha256Hex(archive)))
}

// cosignKeys makes a key of each kind that cosign takes, and its public key.
func cosignKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	onCurve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	withModulus, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"ECDSA": onCurve, "RSA": withModulus, "Ed25519": edwards}
}

func publicPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func signMessage(t testing.TB, key crypto.Signer, message []byte) []byte {
	t.Helper()
	digest, hash := message, crypto.Hash(0)
	if _, ok := key.(ed25519.PrivateKey); !ok {
		sum := sha256.Sum256(message)
		digest, hash = sum[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// cosign signs a manifest as cosign sign --key did before its version 3. about
// is the digest that it says it signs.
func (s *ociServer) cosign(t *testing.T, repository, digest, about string, by ...crypto.Signer) {
	t.Helper()
	payload := []byte(`{"critical":{"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":"` + about + `"},"type":"cosign container image signature"},"optional":null}`)
	var layers []any
	for _, key := range by {
		signature := base64.StdEncoding.EncodeToString(signMessage(t, key, payload))
		layers = append(layers, s.layer(payloadMediaType, payload, map[string]string{signatureAnnotation: signature}))
	}
	s.pushManifest(t, repository, strings.ReplaceAll(digest, ":", "-")+".sig", layers...)
}

// bundleOf makes what cosign signs since its version 3, of a predicate.
func bundleOf(t testing.TB, by crypto.Signer, about, predicate string) []byte {
	t.Helper()
	payload := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + strings.TrimPrefix(about, "sha256:") +
		`"}}],"predicateType":"` + predicate + `","predicate":{}}`)
	signature := signMessage(t, by, []byte(fmt.Sprintf("DSSEv1 %d %s %d %s", len(statementType), statementType, len(payload), payload)))
	data, err := json.Marshal(map[string]any{
		"mediaType":            bundleMediaType,
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "x"}},
		"dsseEnvelope": map[string]any{
			"payload": payload, "payloadType": statementType, "signatures": []any{map[string]any{"sig": signature}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refer publishes a bundle under the tag by which it is found in registries that
// do not list what refers to a manifest.
func (s *ociServer) refer(t *testing.T, repository, digest string, bundle []byte) {
	t.Helper()
	referring := s.pushManifest(t, repository, "bundle", s.layer(bundleMediaType, bundle, nil))
	s.pushJSON(t, repository, strings.ReplaceAll(digest, ":", "-"), map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": []any{map[string]any{
			"mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": bundleMediaType,
			"digest": referring, "size": len(s.manifests[referring]),
		}},
	})
}
