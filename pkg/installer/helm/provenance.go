// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/safeyaml"
)

const (
	keyRingSuffix    = ".gpg"
	provenanceSuffix = ".prov"
	armorBegin       = "-----BEGIN PGP "
	armorEnd         = "-----END PGP PUBLIC KEY BLOCK-----"
)

// keyRings reads the key rings of the Secret.
func (v *verification) keyRings() (openpgp.EntityList, error) {
	names, err := v.named(keyRingSuffix)
	if err != nil {
		return nil, err
	}
	var all openpgp.EntityList
	for _, name := range names {
		ring, err := readKeyRing(v.keys[name])
		if err != nil || len(ring) == 0 {
			return nil, fmt.Errorf("key %s of the Secret %s is no key ring of OpenPGP public keys, binary or armored", name, v.secret)
		}
		all = append(all, ring...)
	}
	return all, nil
}

// readKeyRing reads a binary key ring, or an armored one, which may be several
// written one after the other.
func readKeyRing(data []byte) (openpgp.EntityList, error) {
	if !bytes.Contains(data, []byte(armorBegin)) {
		return openpgp.ReadKeyRing(bytes.NewReader(data))
	}
	var all openpgp.EntityList
	for block := range bytes.SplitAfterSeq(data, []byte(armorEnd)) {
		if !bytes.Contains(block, []byte(armorBegin)) {
			continue
		}
		ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(block))
		if err != nil {
			return nil, err
		}
		all = append(all, ring...)
	}
	return all, nil
}

// checkProvenance makes sure that a provenance file is signed by one of the keys
// and names an archive with a SHA-256. What the archive is called in it does not
// matter: what it is, is in the archive.
func checkProvenance(file []byte, keys openpgp.EntityList, sum string) error {
	block, _ := clearsign.Decode(file)
	if block == nil {
		return errors.New("the provenance file holds no signed message")
	}
	if _, err := block.VerifySignature(keys, nil); err != nil {
		switch {
		case errors.Is(err, pgperrors.ErrUnknownIssuer):
			return errors.New("the provenance file is not signed by a key of verify.secretRef")
		case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrKeyRevoked):
			return errors.New("the provenance file is signed by a key that has expired or was revoked")
		case errors.Is(err, pgperrors.ErrSignatureExpired):
			return errors.New("the signature of the provenance file has expired")
		default:
			return errors.New("the signature of the provenance file is not valid")
		}
	}
	sums, err := sumsIn(block.Plaintext)
	if err != nil {
		return err
	}
	for _, has := range sums {
		if strings.EqualFold(strings.TrimPrefix(has, "sha256:"), sum) {
			return nil
		}
	}
	return errors.New("the archive is not the one that the provenance file was signed for: its SHA-256 is another")
}

// sumsIn reads the digests of archives from the message of a provenance file:
// Chart.yaml, a line with three dots, and the digests by file name.
func sumsIn(message []byte) (map[string]string, error) {
	var sums struct {
		Files map[string]string `json:"files"`
	}
	_, rest, ok := bytes.Cut(message, []byte("\n...\n"))
	if !ok || safeyaml.Bounded(rest) != nil || yaml.Unmarshal(rest, &sums) != nil {
		return nil, errors.New("the provenance file names no archive")
	}
	return sums.Files, nil
}

// localSignatures are beside an archive of the local directory.
type localSignatures struct{ path string }

func (l localSignatures) provenance(context.Context) ([]byte, error) {
	file, err := readBounded(l.path+provenanceSuffix, maxSignatureBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, unsigned("it is in the directory of local archives without its provenance file")
	case err != nil:
		return nil, installer.Errorf(installer.ReasonVerificationFailed, "reading the local provenance file: %w", err)
	}
	return file, nil
}

func (l localSignatures) cosign(context.Context) (string, []cosignature, error) {
	return "", nil, errors.New("it is from the directory of local archives, where no signatures of cosign can be: use provenance, or have it taken away from there")
}

// repositorySignatures are those of an HTTP repository: beside the archive.
type repositorySignatures struct {
	client   *fetch.Client
	location string
	access   *fetch.Access
}

func (r *repositorySignatures) provenance(ctx context.Context) ([]byte, error) {
	u, err := url.Parse(r.location)
	if err != nil {
		return nil, errors.New("the archive has no usable URL")
	}
	u.Path, u.RawPath = u.Path+provenanceSuffix, ""
	file, err := r.client.Get(ctx, u.String(), fetch.Limits{MaxBytes: maxSignatureBytes, Timeout: indexTimeout})
	if err == nil {
		return file, nil
	}
	if err = fetchError(ctx, err, r.access, "the provenance file"); installer.ReasonOf(err) == installer.ReasonChartNotFound {
		return nil, unsigned("it is not signed: there is no provenance file at " + fetch.Redact(u.String()))
	}
	return nil, err
}

func (r *repositorySignatures) cosign(context.Context) (string, []cosignature, error) {
	return "", nil, errors.New("it is from a repository of http, where no signatures of cosign are: use provenance, or an oci repository")
}
