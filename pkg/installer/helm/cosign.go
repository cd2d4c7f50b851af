// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

const (
	publicKeySuffix = ".pub"
	minRSABits      = 2048
	// cosignPayloadType is what cosign writes of the type of what it signs.
	cosignPayloadType = "cosign container image signature"
)

// cosignature is a signature that cosign made. What its message is about counts
// only once the signature is known to be valid.
type cosignature struct {
	message   []byte
	signature []byte
	// subjects are the digests that the message is about.
	subjects []string
}

// checkCosign makes sure that one of the signatures is by one of the keys, and
// about the manifest with a digest.
func checkCosign(subject string, all []cosignature, keys []crypto.PublicKey) error {
	var signed bool
	for _, one := range all {
		if !slices.ContainsFunc(keys, func(key crypto.PublicKey) bool { return verifies(key, one.message, one.signature) }) {
			continue
		}
		if slices.Contains(one.subjects, subject) {
			return nil
		}
		signed = true
	}
	if signed {
		return errors.New("its signature of cosign is about another chart: the digest in it is not that of the manifest")
	}
	return errors.New("it is not signed with cosign by a key of verify.secretRef")
}

// publicKeys reads the keys of the Secret.
func (v *verification) publicKeys() ([]crypto.PublicKey, error) {
	names, err := v.named(publicKeySuffix)
	if err != nil {
		return nil, err
	}
	var keys []crypto.PublicKey
	for _, name := range names {
		key, err := parsePublicKey(v.keys[name])
		if err != nil {
			return nil, fmt.Errorf("key %s of the Secret %s: %w", name, v.secret, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePublicKey(data []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("it must be a public key in PEM, as cosign public-key prints one")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it is not a public key")
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return key, nil
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("it is an RSA key of %d bits: it must have %d at least", key.N.BitLen(), minRSABits)
		}
		return key, nil
	default:
		return nil, errors.New("it must be a key of ECDSA, RSA or Ed25519")
	}
}

// verifies checks a signature in the ways in which cosign signs.
func verifies(key crypto.PublicKey, message, signature []byte) bool {
	sum := sha256.Sum256(message)
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	default:
		return false
	}
}

// subjectOfPayload returns the digest that a payload of simple signing is about.
func subjectOfPayload(payload []byte) ([]string, error) {
	var content struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
			Type string `json:"type"`
		} `json:"critical"`
	}
	if err := json.Unmarshal(payload, &content); err != nil || content.Critical.Type != cosignPayloadType {
		return nil, errors.New("not a payload of cosign")
	}
	return []string{content.Critical.Image.Digest}, nil
}
