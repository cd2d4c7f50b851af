// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/safeyaml"
)

const (
	// maxSignatureBytes bounds a provenance file, a signature and what it signs.
	maxSignatureBytes = 64 << 10
	// maxKeys bounds the keys of a Secret that are tried.
	maxKeys = 64
	// maxChartFileBytes bounds Chart.yaml.
	maxChartFileBytes = 1 << 20
)

// verification says by whose key a chart must be signed. Nil asks for nothing.
type verification struct {
	provider v1alpha1.VerificationProvider
	// secret is the name of the Secret that the keys are from.
	secret string
	keys   map[string][]byte
}

func newVerification(verify *v1alpha1.ChartVerification, keys map[string][]byte) *verification {
	if verify == nil {
		return nil
	}
	return &verification{provider: verify.Provider, secret: verify.SecretRef.Name, keys: keys}
}

// signatures are those of an archive, wherever it was found. That there are none
// is an error, as it is not to be able to read them.
type signatures interface {
	// provenance returns the file that helm package --sign made.
	provenance(ctx context.Context) ([]byte, error)
	// cosign returns the digest of what cosign signed, and its signatures.
	cosign(ctx context.Context) (subject string, all []cosignature, err error)
}

// check makes sure that an archive is signed, and that it is what it was asked
// for as: a signature of an older version, or of another chart of the same
// signer, is none of this one.
func (v *verification) check(ctx context.Context, chart string, found archive) (err error) {
	if v == nil {
		return nil
	}
	// The parsers of foreign signatures must not end the process.
	defer func() {
		if r := recover(); r != nil {
			err = v.bad(chart, found.version, errors.New("its signature cannot be read"))
		}
	}()
	if err := v.checkSignature(ctx, found); err != nil {
		return v.bad(chart, found.version, err)
	}
	if err := isVersion(found.data, chart, found.version); err != nil {
		return v.bad(chart, found.version, err)
	}
	return nil
}

// bad says which chart could not be verified. Reasons that are known are kept:
// what cannot be fetched now can be later.
func (v *verification) bad(chart, version string, err error) error {
	if known, ok := errors.AsType[*installer.Error](err); ok {
		return &installer.Error{Reason: known.Reason, Terminal: known.Terminal, Err: &wrapped{"verifying chart " + chart + " " + version + ": " + known.Error(), known.Err}}
	}
	return installer.Terminalf(installer.ReasonVerificationFailed, "verifying chart %s %s: %w", chart, version, err)
}

// unsigned is the error of what has no signature. It may get one yet.
func unsigned(text string) error {
	return installer.Errorf(installer.ReasonVerificationFailed, "%s", text)
}

func (v *verification) checkSignature(ctx context.Context, found archive) error {
	switch v.provider {
	case v1alpha1.VerificationProvenance:
		rings, err := v.keyRings()
		if err != nil {
			return err
		}
		file, err := found.signatures.provenance(ctx)
		if err != nil {
			return err
		}
		return checkProvenance(file, rings, sha256Hex(found.data))
	case v1alpha1.VerificationCosign:
		keys, err := v.publicKeys()
		if err != nil {
			return err
		}
		subject, all, err := found.signatures.cosign(ctx)
		if err != nil {
			return err
		}
		return checkCosign(subject, all, keys)
	default:
		return errors.New("spec.autoInstall.helmConfig.verify.provider must be provenance or cosign")
	}
}

// named returns the keys of the Secret with a suffix, in a fixed order.
func (v *verification) named(suffix string) ([]string, error) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(v.keys)) {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the Secret " + v.secret + " of verify.secretRef has no key whose name ends with " + suffix)
	}
	return names[:min(len(names), maxKeys)], nil
}

// isVersion makes sure that an archive says of itself what it is taken for.
func isVersion(data []byte, chart, version string) error {
	metadata, err := readMetadata(data)
	if err != nil {
		return err
	}
	want, err := semver.NewVersion(version)
	if err != nil {
		return errors.New("its version is not a semantic version")
	}
	has, err := semver.NewVersion(metadata.Version)
	if err != nil || metadata.Name != chart || !has.Equal(want) || has.Metadata() != want.Metadata() {
		return errors.New("what is signed is chart " + shorten(metadata.Name, 128) + " " + shorten(metadata.Version, 64))
	}
	return nil
}

type chartMetadata struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// readMetadata reads the Chart.yaml of an archive, and no more of it.
func readMetadata(data []byte) (chartMetadata, error) {
	var metadata chartMetadata
	unreadable := errors.New("its archive cannot be read")
	if len(data) > maxArchiveBytes {
		return metadata, unreadable
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return metadata, unreadable
	}
	reader := tar.NewReader(io.LimitReader(unzipped, maxUnpackedBytes))
	for range maxArchiveEntries {
		header, err := reader.Next()
		if err != nil {
			return metadata, unreadable
		}
		if dir, ok := strings.CutSuffix(header.Name, "/Chart.yaml"); !ok || strings.Contains(strings.TrimPrefix(dir, "./"), "/") {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(reader, maxChartFileBytes))
		if err != nil || safeyaml.Bounded(content) != nil || yaml.Unmarshal(content, &metadata) != nil {
			return metadata, unreadable
		}
		return metadata, nil
	}
	return metadata, unreadable
}
