// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

const (
	maxManifestBytes = 1 << 20
	maxTagPages      = 20
	tagsPerPage      = 1000
)

// chartMediaTypes are those of the layer that holds a chart archive; the second
// is from before Helm 3.7.
var chartMediaTypes = []string{
	"application/vnd.cncf.helm.chart.content.v1.tar+gzip",
	"application/tar+gzip",
}

// ociRegistry gets charts from OCI registries, anonymously.
type ociRegistry struct {
	fetch    *fetch.Client
	rewrites *rewrite.Table
	archives *archiveCache
	// allowLocal admits plain HTTP to registries on loopback.
	allowLocal bool
}

// get returns the newest chart of a repository, oci://host/path/chart, that the
// reference admits.
func (o *ociRegistry) get(ctx context.Context, location string, ref chartRef) (archive, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, archiveTimeout, fmt.Errorf("not done after %s: %w", archiveTimeout, context.DeadlineExceeded))
	defer cancel()
	repository, err := o.open(location)
	if err != nil {
		return archive{}, err
	}
	// An exact version is asked for as it is: its tag is its name, and listing
	// tags may take many requests.
	if version, ok := ref.version.exact(); ok {
		found, err := o.pull(ctx, repository, location, ref, version)
		if err == nil || installer.ReasonOf(err) != installer.ReasonChartNotFound {
			return found, err
		}
	}
	versions, err := o.versions(ctx, repository)
	if err != nil {
		return archive{}, ociError(ctx, err, location)
	}
	version, ok := ref.version.pick(versions)
	if !ok {
		return archive{}, installer.Errorf(installer.ReasonChartNotFound, "%s has no version %s; %s",
			fetch.Redact(location), shorten(ref.version.text, 64), newest(versions))
	}
	return o.pull(ctx, repository, location, ref, version)
}

// getTagged returns the chart at oci://host/path:tag, as indexes of HTTP
// repositories name some.
func (o *ociRegistry) getTagged(ctx context.Context, location string, ref chartRef, version string) (archive, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, archiveTimeout, fmt.Errorf("not done after %s: %w", archiveTimeout, context.DeadlineExceeded))
	defer cancel()
	at := strings.LastIndexByte(location, ':')
	if at <= strings.LastIndexByte(location, '/') {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "the URL of chart %s in its index has no tag", ref.chart)
	}
	repository, err := o.open(location[:at])
	if err != nil {
		return archive{}, err
	}
	found, err := o.pull(ctx, repository, location[:at], ref, location[at+1:])
	found.version = version
	return found, err
}

// open returns the repository that the rewrite table has for a location. What
// it says is followed in the scheme, too: to http:// means plain HTTP.
func (o *ociRegistry) open(location string) (*remote.Repository, error) {
	target, rewritten := o.rewrites.URL(location)
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s is not the URL of a registry", fetch.Redact(location))
	}
	trusted := rewritten || o.rewrites.Trusted(u)
	repository, err := remote.NewRepository(u.Host + u.Path)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s is not the name of a chart in a registry", fetch.Redact(location))
	}
	repository.PlainHTTP = u.Scheme == "http" || (o.allowLocal && isLoopback(u.Hostname()))
	repository.TagListPageSize = tagsPerPage
	repository.TagListMaxPages = maxTagPages
	repository.Client = &auth.Client{Client: o.fetch.HTTPClient(trusted), Header: http.Header{"User-Agent": {"ksit"}}, Cache: auth.NewCache()}
	return repository, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// versions lists the versions of a chart. A tag cannot hold a plus sign; Helm
// writes an underscore in its place.
func (o *ociRegistry) versions(ctx context.Context, repository *remote.Repository) ([]string, error) {
	var versions []string
	err := repository.Tags(ctx, "", func(tags []string) error {
		for _, tag := range tags {
			versions = append(versions, strings.ReplaceAll(tag, "_", "+"))
		}
		return nil
	})
	return versions, err
}

func (o *ociRegistry) pull(ctx context.Context, repository *remote.Repository, location string, ref chartRef, version string) (archive, error) {
	what := fmt.Sprintf("%s version %s", location, version)
	descriptor, body, err := repository.FetchReference(ctx, strings.ReplaceAll(version, "+", "_"))
	if err != nil {
		return archive{}, ociError(ctx, err, what)
	}
	defer func() { _ = body.Close() }()
	if descriptor.Size > maxManifestBytes {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "the manifest of %s is larger than %d MiB", fetch.Redact(what), maxManifestBytes>>20)
	}
	encoded, err := content.ReadAll(io.LimitReader(body, maxManifestBytes), descriptor)
	if err != nil {
		return archive{}, ociError(ctx, err, what)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(encoded, &manifest); err != nil {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "%s is not a chart", fetch.Redact(what))
	}
	layer, ok := chartLayer(manifest)
	if !ok {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "%s is not a chart: it has no layer of a chart's media type", fetch.Redact(what))
	}
	if layer.Size > maxArchiveBytes {
		return archive{}, installer.Terminalf(installer.ReasonTooLarge, "the archive of %s is larger than %d MiB", fetch.Redact(what), maxArchiveBytes>>20)
	}
	if data, ok := o.archives.get(layer.Digest.Encoded()); ok {
		return archive{version: version, data: data}, nil
	}
	blob, err := repository.Fetch(ctx, layer)
	if err != nil {
		return archive{}, ociError(ctx, err, what)
	}
	defer func() { _ = blob.Close() }()
	// ReadAll checks size and digest.
	data, err := content.ReadAll(blob, layer)
	if err != nil {
		return archive{}, ociError(ctx, err, what)
	}
	o.archives.put(ctx, data)
	return archive{version: version, data: data}, nil
}

func chartLayer(manifest ocispec.Manifest) (ocispec.Descriptor, bool) {
	for _, mediaType := range chartMediaTypes {
		for _, layer := range manifest.Layers {
			if layer.MediaType == mediaType && layer.Size >= 0 && layer.Digest.Validate() == nil {
				return layer, true
			}
		}
	}
	return ocispec.Descriptor{}, false
}

// ociError gives an error of a registry its reason. The texts of a registry are
// not passed on: they come from wherever a tenant pointed.
func ociError(ctx context.Context, err error, what string) error {
	what = fetch.Redact(what)
	var response *errcode.ErrorResponse
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx, "fetching "+what)
	case errors.Is(err, fetch.ErrRefused):
		return installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s: %w", what, bareURLError(err))
	case errors.Is(err, errdef.ErrNotFound):
		return installer.Errorf(installer.ReasonChartNotFound, "the registry has no %s", what)
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return installer.Errorf(installer.ReasonDigestMismatch, "what the registry sent for %s does not have its digest", what)
	case errors.As(err, &response):
		switch response.StatusCode {
		case http.StatusNotFound:
			return installer.Errorf(installer.ReasonChartNotFound, "the registry has no %s", what)
		case http.StatusUnauthorized, http.StatusForbidden:
			return installer.Errorf(installer.ReasonRepositoryUnreachable, "the registry refuses %s: it is private or does not exist, and KSIT has no credentials for it", what)
		default:
			return installer.Errorf(installer.ReasonRepositoryUnreachable, "the registry answers %d for %s", response.StatusCode, what)
		}
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "the registry asks for a password for %s, and KSIT has none", what)
	default:
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "%s: %w", what, bareURLError(err))
	}
}

// bareURLError takes off the URL of a request, which may hold a signature.
func bareURLError(err error) error {
	var urlError *url.Error
	for errors.As(err, &urlError) {
		err = urlError.Err
	}
	return errors.New(shorten(err.Error(), maxErrorBytes))
}
