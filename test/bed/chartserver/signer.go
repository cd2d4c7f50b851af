// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"sigs.k8s.io/yaml"
)

// Signer signs charts as their maintainers do: with OpenPGP, as helm package
// --sign does, and as cosign sign --key does in a registry.
type Signer struct {
	// KeyRing is the armored OpenPGP public key, PublicKey that of cosign in PEM.
	KeyRing, PublicKey []byte

	entity *openpgp.Entity
	key    *ecdsa.PrivateKey
}

// NewSigner makes a signer with keys of its own.
func NewSigner(name string) (*Signer, error) {
	s := &Signer{}
	var err error
	if s.entity, err = openpgp.NewEntity(name, "", name+"@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}); err != nil {
		return nil, fmt.Errorf("making the OpenPGP key of %s: %w", name, err)
	}
	var ring bytes.Buffer
	armored, err := armor.Encode(&ring, openpgp.PublicKeyType, nil)
	if err == nil {
		if err = s.entity.Serialize(armored); err == nil {
			err = armored.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("writing the OpenPGP key of %s: %w", name, err)
	}
	s.KeyRing = ring.Bytes()
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("making the cosign key of %s: %w", name, err)
	}
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		return nil, fmt.Errorf("writing the cosign key of %s: %w", name, err)
	}
	s.PublicKey = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return s, nil
}

// provenance makes the .prov of an archive.
func (s *Signer) provenance(a *archive) ([]byte, error) {
	metadata, err := yaml.Marshal(a.metadata)
	if err != nil {
		return nil, err
	}
	sums, err := yaml.Marshal(map[string]any{"files": map[string]string{a.file(): "sha256:" + a.digest}})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	writer, err := clearsign.Encode(&out, s.entity.PrivateKey, nil)
	if err != nil {
		return nil, err
	}
	// Three dots end a document of YAML: the dashes that begin one would be
	// those of the signature.
	if _, err := fmt.Fprintf(writer, "%s\n...\n%s", metadata, sums); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// cosign makes the payload that says that a manifest is good, and its signature.
func (s *Signer) cosign(name, digest string) (payload []byte, signature string, err error) {
	payload, err = json.Marshal(map[string]any{
		"critical": map[string]any{
			"identity": map[string]any{"docker-reference": path.Join("charts.example.com", name)},
			"image":    map[string]any{"docker-manifest-digest": digest},
			"type":     "cosign container image signature",
		},
		"optional": nil,
	})
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(payload)
	raw, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		return nil, "", err
	}
	return payload, base64.StdEncoding.EncodeToString(raw), nil
}
