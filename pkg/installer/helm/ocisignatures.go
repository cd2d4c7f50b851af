// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"ksit.io/ksit/pkg/installer"
)

const (
	provenanceMediaType = "application/vnd.cncf.helm.chart.provenance.v1.prov"
	payloadMediaType    = "application/vnd.dev.cosign.simplesigning.v1+json"
	// signatureAnnotation is where cosign writes the signature of a payload.
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	// maxSignatures bounds the signatures of each kind that are looked at.
	maxSignatures = 32
)

// ociSignatures are in the repository of the chart, as Helm and cosign put them
// there.
type ociSignatures struct {
	repository *ociRepository
	// chart and manifest are those of the chart.
	chart    ocispec.Descriptor
	manifest ocispec.Manifest
}

func (o *ociSignatures) provenance(ctx context.Context) ([]byte, error) {
	layer, ok := layerOf(o.manifest, provenanceMediaType)
	if !ok {
		return nil, unsigned("it is not signed: its artifact has no provenance file")
	}
	if layer.Size > maxSignatureBytes {
		return nil, errTooLargeSignature("the provenance file")
	}
	ctx, cancel := boundedOCI(ctx)
	defer cancel()
	return o.repository.blob(ctx, layer, "the provenance file of "+o.repository.location)
}

func errTooLargeSignature(what string) error {
	return fmt.Errorf("%s is larger than %d KiB", what, maxSignatureBytes>>10)
}

// cosign finds the signatures under the tag that cosign made of the digest, and
// those that refer to the chart, where its version 3 puts them.
func (o *ociSignatures) cosign(ctx context.Context) (subject string, all []cosignature, err error) {
	ctx, cancel := boundedOCI(ctx)
	defer cancel()
	subject = o.chart.Digest.String()
	tagged, err := o.tagged(ctx)
	if err != nil {
		return "", nil, err
	}
	referring, err := o.referring(ctx)
	if err != nil && len(tagged) == 0 {
		return "", nil, err
	}
	if all = append(tagged, referring...); len(all) == 0 {
		return "", nil, unsigned("it is not signed: its registry has no signature of cosign for " + subject)
	}
	return subject, all, nil
}

// tagged returns the signatures under the tag sha256-DIGEST.sig. One that cannot
// be read is none.
func (o *ociSignatures) tagged(ctx context.Context) ([]cosignature, error) {
	what := "the signature of " + o.repository.location
	_, manifest, err := o.repository.manifest(ctx, strings.ReplaceAll(o.chart.Digest.String(), ":", "-")+".sig", what)
	if err != nil {
		if installer.ReasonOf(err) == installer.ReasonChartNotFound {
			return nil, nil
		}
		return nil, err
	}
	var all []cosignature
	for _, layer := range manifest.Layers[:min(len(manifest.Layers), maxSignatures)] {
		if layer.MediaType != payloadMediaType || !usable(layer) || layer.Size > maxSignatureBytes {
			continue
		}
		signature, err := base64.StdEncoding.DecodeString(layer.Annotations[signatureAnnotation])
		if err != nil || len(signature) == 0 || len(signature) > maxSignatureBytes {
			continue
		}
		payload, err := o.repository.blob(ctx, layer, what)
		if err != nil {
			return nil, err
		}
		if subjects, err := subjectOfPayload(payload); err == nil {
			all = append(all, cosignature{message: payload, signature: signature, subjects: subjects})
		}
	}
	return all, nil
}

// errEnough ends a list of which enough was seen.
var errEnough = errors.New("enough")

// referring returns the signatures in bundles that refer to the chart.
func (o *ociSignatures) referring(ctx context.Context) ([]cosignature, error) {
	what := "the signatures of " + o.repository.location
	var bundles []ocispec.Descriptor
	err := o.repository.Referrers(ctx, o.chart, bundleMediaType, func(page []ocispec.Descriptor) error {
		if bundles = append(bundles, page...); len(bundles) > maxSignatures {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, o.repository.failed(ctx, err, what)
	}
	var all []cosignature
	for _, found := range bundles[:min(len(bundles), maxSignatures)] {
		_, manifest, err := o.repository.manifest(ctx, found.Digest.String(), what)
		if err != nil {
			return nil, err
		}
		layer, ok := layerOf(manifest, bundleMediaType)
		if !ok || layer.Size > maxSignatureBytes {
			continue
		}
		data, err := o.repository.blob(ctx, layer, what)
		if err != nil {
			return nil, err
		}
		if signatures, err := parseBundle(data); err == nil {
			all = append(all, signatures...)
		}
	}
	return all, nil
}
