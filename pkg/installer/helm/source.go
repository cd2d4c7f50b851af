// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

const (
	indexTimeout   = 60 * time.Second
	archiveTimeout = 2 * time.Minute
)

// chartRef names a chart, somewhere.
type chartRef struct {
	repository string
	chart      string
	version    versionRange
	// access is for the host of repository; nil where there is none.
	access *fetch.Access
	// verify says by whom it must be signed; nil for nobody.
	verify *verification
}

// archive is a chart as it was found.
type archive struct {
	version string
	data    []byte
	// signatures are where it was found.
	signatures signatures
}

// sources finds charts: in the directory of local archives first, then in
// their repository.
type sources struct {
	fetch    *fetch.Client
	rewrites *rewrite.Table
	// localDir may be empty.
	localDir string
	archives *archiveCache
	indexes  *indexCache
	oci      *ociRegistry
}

// get returns the newest chart that the reference admits. Wherever it is from,
// a cache included, its signature is checked where the reference asks for one.
func (s *sources) get(ctx context.Context, ref chartRef) (archive, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return archive{}, err
	}
	if err := ref.verify.check(ctx, ref.chart, found); err != nil {
		return archive{}, err
	}
	return archive{version: found.version, data: found.data}, nil
}

func (s *sources) find(ctx context.Context, ref chartRef) (archive, error) {
	if found, ok, err := s.local(ref); ok || err != nil {
		return found, err
	}
	isOCI, err := s.isOCI(ref)
	if err != nil {
		return archive{}, err
	}
	if isOCI {
		return s.oci.get(ctx, ociLocation(ref), ref)
	}
	return s.fromRepository(ctx, ref)
}

// isOCI tells whether the repository is a registry. Where an operator has a
// registry in the place of a repository, or the other way round, what he has is
// what counts.
func (s *sources) isOCI(ref chartRef) (bool, error) {
	if ref.repository == "" {
		return false, installer.Terminalf(installer.ReasonChartNotFound, "chart %s is not among the local archives, and no repository is named", ref.chart)
	}
	u, err := url.Parse(ref.repository)
	if err != nil {
		return false, installer.Terminalf(installer.ReasonRepositoryUnreachable, "the repository is not a URL")
	}
	target, _ := s.rewrites.URL(ref.repository)
	return u.Scheme == "oci" || strings.HasPrefix(target, "oci://"), nil
}

// fromRepository gets a chart from an HTTP repository.
func (s *sources) fromRepository(ctx context.Context, ref chartRef) (archive, error) {
	client, err := s.clientFor(ref)
	if err != nil {
		return archive{}, err
	}
	found, version, err := s.indexed(ctx, client, ref)
	if err != nil {
		return archive{}, err
	}
	repository := fetch.Redact(ref.repository)
	entry, _ := found.entry(version)
	location, err := resolveURL(ref.repository, entry.URLs[0])
	if err != nil {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "the index of %s has no usable URL for chart %s %s", repository, ref.chart, version)
	}
	if strings.HasPrefix(location, "oci://") {
		return s.oci.getTagged(ctx, location, ref, version)
	}
	if err := client.Permit(location); err != nil {
		return archive{}, fetchError(ctx, err, ref.access, fmt.Sprintf("chart %s %s", ref.chart, version))
	}
	got := archive{version: version, signatures: &repositorySignatures{client: client, location: location, access: ref.access}}
	sum := strings.TrimPrefix(strings.ToLower(entry.Digest), "sha256:")
	if data, ok := s.archives.get(client.Scope(), sum); ok {
		got.data = data
		return got, nil
	}
	got.data, err = client.Get(ctx, location, fetch.Limits{MaxBytes: maxArchiveBytes, Timeout: archiveTimeout})
	if err != nil {
		return archive{}, fetchError(ctx, err, ref.access, fmt.Sprintf("chart %s %s", ref.chart, version))
	}
	if isSHA256(sum) && sha256Hex(got.data) != sum {
		return archive{}, installer.Errorf(installer.ReasonDigestMismatch,
			"the archive of chart %s %s does not have the digest that the index of %s names", ref.chart, version, repository)
	}
	s.archives.put(ctx, client.Scope(), got.data)
	return got, nil
}

// clientFor returns the client that has the access of a reference.
func (s *sources) clientFor(ref chartRef) (*fetch.Client, error) {
	client, err := s.fetch.For(ref.access, ref.repository)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s: %w", fetch.Redact(ref.repository), err)
	}
	return client, nil
}

// indexed returns what the index of a repository says of the chart, and the
// newest version in it that is admitted.
func (s *sources) indexed(ctx context.Context, client *fetch.Client, ref chartRef) (found chartVersions, version string, err error) {
	found, fresh, err := s.indexes.get(ctx, client, ref, false)
	if err != nil {
		return found, "", err
	}
	version, ok := ref.version.pick(found.list())
	if !ok && !fresh {
		// It may have been published since.
		if found, _, err = s.indexes.get(ctx, client, ref, true); err != nil {
			return found, "", err
		}
		version, ok = ref.version.pick(found.list())
	}
	if !ok {
		return found, "", notFound(placeOf(s.rewrites, ref.repository), ref, found)
	}
	return found, version, nil
}

// placeOf returns what a place is called in messages, with where the operator has it
// instead.
func placeOf(rewrites *rewrite.Table, location string) string {
	target, rewritten := rewrites.URL(location)
	if !rewritten {
		return fetch.Redact(location)
	}
	return fmt.Sprintf("%s (rewritten to %s)", fetch.Redact(location), fetch.Redact(target))
}

// notFound says what there is instead.
func notFound(repository string, ref chartRef, found chartVersions) error {
	if len(found.versions) > 0 {
		return installer.Errorf(installer.ReasonChartNotFound, "%s has no version %s of chart %s; %s",
			repository, shorten(ref.version.text, 64), ref.chart, newest(found.list()))
	}
	if names := near(ref.chart, found.names); names != "" {
		return installer.Errorf(installer.ReasonChartNotFound, "%s has no chart %s; it has %s", repository, ref.chart, shorten(names, 256))
	}
	return installer.Errorf(installer.ReasonChartNotFound, "%s has no chart %s among its %d charts", repository, ref.chart, len(found.names))
}

// resolveURL returns the URL of an archive, which an index may give relative to
// the repository. The query of the repository's URL goes with a relative one.
func resolveURL(repository, ref string) (string, error) {
	base, err := url.Parse(repository)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(ref)
	if err != nil {
		return "", err
	}
	if u.IsAbs() {
		return u.String(), nil
	}
	base.Path = strings.TrimSuffix(base.Path, "/") + "/"
	base.RawPath = ""
	resolved := base.ResolveReference(u)
	if resolved.RawQuery == "" {
		resolved.RawQuery = base.RawQuery
	}
	return resolved.String(), nil
}
