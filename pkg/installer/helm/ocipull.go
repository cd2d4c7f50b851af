// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"ksit.io/ksit/pkg/installer"
)

const maxManifestBytes = 1 << 20

// chartMediaTypes are those of the layer that holds a chart archive; the second
// is from before Helm 3.7.
var chartMediaTypes = []string{
	"application/vnd.cncf.helm.chart.content.v1.tar+gzip",
	"application/tar+gzip",
}

// pull gets the archive of a version.
func (o *ociRegistry) pull(ctx context.Context, repository *ociRepository, version string) (archive, error) {
	what := fmt.Sprintf("version %s of %s", version, repository.location)
	descriptor, manifest, err := repository.manifest(ctx, strings.ReplaceAll(version, "+", "_"), what)
	if err != nil {
		return archive{}, err
	}
	layer, ok := layerOf(manifest, chartMediaTypes...)
	if !ok {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "%s is not a chart: it has no layer of a chart's media type", what)
	}
	if layer.Size > maxArchiveBytes {
		return archive{}, installer.Terminalf(installer.ReasonTooLarge, "the archive of %s is larger than %d MiB", what, maxArchiveBytes>>20)
	}
	found := archive{version: version, signatures: &ociSignatures{repository: repository, chart: descriptor, manifest: manifest}}
	if found.data, ok = o.archives.get(repository.scope, layer.Digest.Encoded()); ok {
		return found, nil
	}
	if found.data, err = repository.blob(ctx, layer, what); err != nil {
		return archive{}, err
	}
	o.archives.put(ctx, repository.scope, found.data)
	return found, nil
}

// manifest gets the manifest of a tag or digest, and its descriptor, whose digest
// is that of the bytes that were read.
func (r *ociRepository) manifest(ctx context.Context, reference, what string) (ocispec.Descriptor, ocispec.Manifest, error) {
	var manifest ocispec.Manifest
	descriptor, body, err := r.FetchReference(ctx, reference)
	if err != nil {
		return descriptor, manifest, r.failed(ctx, err, what)
	}
	defer func() { _ = body.Close() }()
	if descriptor.Size > maxManifestBytes {
		return descriptor, manifest, installer.Terminalf(installer.ReasonChartInvalid, "the manifest of %s is larger than %d MiB", what, maxManifestBytes>>20)
	}
	encoded, err := content.ReadAll(io.LimitReader(body, maxManifestBytes), descriptor)
	if err != nil {
		return descriptor, manifest, r.failed(ctx, err, what)
	}
	if err := json.Unmarshal(encoded, &manifest); err != nil {
		return descriptor, manifest, installer.Terminalf(installer.ReasonChartInvalid, "%s is not a chart", what)
	}
	return descriptor, manifest, nil
}

// blob gets a layer, whose size the caller has looked at.
func (r *ociRepository) blob(ctx context.Context, layer ocispec.Descriptor, what string) ([]byte, error) {
	body, err := r.Fetch(ctx, layer)
	if err != nil {
		return nil, r.failed(ctx, err, what)
	}
	defer func() { _ = body.Close() }()
	// ReadAll checks size and digest.
	data, err := content.ReadAll(body, layer)
	if err != nil {
		return nil, r.failed(ctx, err, what)
	}
	return data, nil
}

// layerOf returns the first layer of the first of the media types that there is.
func layerOf(manifest ocispec.Manifest, mediaTypes ...string) (ocispec.Descriptor, bool) {
	for _, mediaType := range mediaTypes {
		for _, layer := range manifest.Layers {
			if layer.MediaType == mediaType && usable(layer) {
				return layer, true
			}
		}
	}
	return ocispec.Descriptor{}, false
}

// usable tells whether a descriptor is one that a client can ask for.
func usable(layer ocispec.Descriptor) bool { return layer.Size >= 0 && layer.Digest.Validate() == nil }
