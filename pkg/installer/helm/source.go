// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
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
}

// archive is a chart as it was found.
type archive struct {
	version string
	data    []byte
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

// get returns the newest chart that the reference admits.
func (s *sources) get(ctx context.Context, ref chartRef) (archive, error) {
	if found, ok, err := s.local(ref); ok || err != nil {
		return found, err
	}
	if ref.repository == "" {
		return archive{}, installer.Terminalf(installer.ReasonChartNotFound, "chart %s is not among the local archives, and no repository is named", ref.chart)
	}
	u, err := url.Parse(ref.repository)
	if err != nil {
		return archive{}, installer.Terminalf(installer.ReasonRepositoryUnreachable, "the repository is not a URL")
	}
	// Where an operator has a registry in the place of a repository, or the
	// other way round, what he has is what counts.
	target, _ := s.rewrites.URL(ref.repository)
	if u.Scheme == "oci" || strings.HasPrefix(target, "oci://") {
		return s.oci.get(ctx, strings.TrimSuffix(ref.repository, "/")+"/"+ref.chart, ref)
	}
	return s.fromRepository(ctx, ref)
}

// local looks through the directory of local archives, whose files are named
// as helm package names them: chart-version.tgz.
func (s *sources) local(ref chartRef) (archive, bool, error) {
	if s.localDir == "" {
		return archive{}, false, nil
	}
	entries, err := os.ReadDir(s.localDir)
	if err != nil {
		return archive{}, false, installer.Errorf(installer.ReasonRepositoryUnreachable, "reading the directory of local charts: %w", err)
	}
	files := map[string]string{}
	var versions []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), ref.chart+"-")
		if !ok || e.IsDir() {
			continue
		}
		version, ok := strings.CutSuffix(rest, ".tgz")
		if !ok {
			continue
		}
		files[version] = e.Name()
		versions = append(versions, version)
	}
	version, ok := ref.version.pick(versions)
	if !ok {
		return archive{}, false, nil
	}
	data, err := readBounded(filepath.Join(s.localDir, files[version]), maxArchiveBytes)
	if err != nil {
		return archive{}, false, installer.Errorf(installer.ReasonChartInvalid, "reading the local archive of chart %s %s: %w", ref.chart, version, err)
	}
	return archive{version: version, data: data}, true, nil
}

// fromRepository gets a chart from an HTTP repository.
func (s *sources) fromRepository(ctx context.Context, ref chartRef) (archive, error) {
	repository := fetch.Redact(ref.repository)
	found, fresh, err := s.indexes.get(ctx, ref.repository, ref.chart, false)
	if err != nil {
		return archive{}, err
	}
	version, ok := ref.version.pick(found.list())
	if !ok && !fresh {
		// It may have been published since.
		if found, _, err = s.indexes.get(ctx, ref.repository, ref.chart, true); err != nil {
			return archive{}, err
		}
		version, ok = ref.version.pick(found.list())
	}
	if !ok {
		return archive{}, notFound(repository, ref, found)
	}
	entry, _ := found.entry(version)
	location, err := resolveURL(ref.repository, entry.URLs[0])
	if err != nil {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "the index of %s has no usable URL for chart %s %s", repository, ref.chart, version)
	}
	if strings.HasPrefix(location, "oci://") {
		return s.oci.getTagged(ctx, location, ref, version)
	}
	sum := strings.TrimPrefix(strings.ToLower(entry.Digest), "sha256:")
	if data, ok := s.archives.get(sum); ok {
		return archive{version: version, data: data}, nil
	}
	data, err := s.fetch.Get(ctx, location, fetch.Limits{MaxBytes: maxArchiveBytes, Timeout: archiveTimeout})
	if err != nil {
		return archive{}, fetchError(ctx, err, fmt.Sprintf("chart %s %s", ref.chart, version))
	}
	if isSHA256(sum) && sha256Hex(data) != sum {
		return archive{}, installer.Errorf(installer.ReasonDigestMismatch,
			"the archive of chart %s %s does not have the digest that the index of %s names", ref.chart, version, repository)
	}
	s.archives.put(ctx, data)
	return archive{version: version, data: data}, nil
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

// fetchError gives a failed download its reason.
func fetchError(ctx context.Context, err error, what string) error {
	var status *fetch.StatusError
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx, "fetching "+what)
	case errors.Is(err, fetch.ErrRefused):
		return installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s: %w", what, err)
	case errors.Is(err, fetch.ErrTooLarge):
		return installer.Terminalf(installer.ReasonTooLarge, "%s: %w", what, err)
	case errors.As(err, &status) && (status.Code == 401 || status.Code == 403):
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "%s: %w; KSIT has no credentials for it", what, err)
	case errors.As(err, &status) && (status.Code == 404 || status.Code == 410):
		return installer.Errorf(installer.ReasonChartNotFound, "%s: %w", what, err)
	default:
		return installer.Errorf(installer.ReasonRepositoryUnreachable, "%s: %w", what, err)
	}
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

func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return data, nil
}
