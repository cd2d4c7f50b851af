// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	bundleMediaType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	statementType      = "application/vnd.in-toto+json"
	signaturePredicate = "https://sigstore.dev/cosign/sign/v1"
)

// bundle is what cosign writes since its version 3: a statement of in-toto in an
// envelope of DSSE.
type bundle struct {
	Envelope struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Signature []byte `json:"sig"`
		} `json:"signatures"`
	} `json:"dsseEnvelope"`
}

// statement is what a signature is about. An attestation, of what an artifact is
// made of for instance, has another predicate, and is no signature.
type statement struct {
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

// parseBundle reads the signatures in a bundle.
func parseBundle(data []byte) ([]cosignature, error) {
	var in bundle
	if err := json.Unmarshal(data, &in); err != nil || in.Envelope.PayloadType != statementType {
		return nil, errors.New("not a bundle with a statement")
	}
	var about statement
	if err := json.Unmarshal(in.Envelope.Payload, &about); err != nil || about.PredicateType != signaturePredicate {
		return nil, errors.New("not a signature of cosign")
	}
	var subjects []string
	for _, subject := range about.Subject {
		if sum := subject.Digest["sha256"]; isSHA256(sum) {
			subjects = append(subjects, "sha256:"+sum)
		}
	}
	var all []cosignature
	for _, s := range in.Envelope.Signatures {
		all = append(all, cosignature{message: authenticated(in.Envelope.PayloadType, in.Envelope.Payload), signature: s.Signature, subjects: subjects})
	}
	return all, nil
}

// authenticated returns the bytes that a signature of DSSE is made of.
func authenticated(payloadType string, payload []byte) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
	out.Write(payload)
	return out.Bytes()
}
