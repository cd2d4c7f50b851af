// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ksit.io/ksit/pkg/installer"
)

// local looks through the directory of local archives for one that is admitted.
func (s *sources) local(ref chartRef) (archive, bool, error) {
	versions, err := s.localVersions(ref.chart)
	if err != nil {
		return archive{}, false, err
	}
	version, ok := ref.version.pick(versions)
	if !ok {
		return archive{}, false, nil
	}
	path := filepath.Join(s.localDir, ref.chart+"-"+version+archiveSuffix)
	data, err := readBounded(path, maxArchiveBytes)
	if err != nil {
		return archive{}, false, installer.Errorf(installer.ReasonChartInvalid, "reading the local archive of chart %s %s: %w", ref.chart, version, err)
	}
	return archive{version: version, data: data, signatures: localSignatures{path}}, true, nil
}

// localVersions lists the versions of a chart in the directory of local
// archives, whose files are named as helm package names them: chart-version.tgz.
func (s *sources) localVersions(chart string) ([]string, error) {
	if s.localDir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.localDir)
	if err != nil {
		return nil, installer.Errorf(installer.ReasonRepositoryUnreachable, "reading the directory of local charts: %w", err)
	}
	var versions []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), chart+"-")
		if !ok || e.IsDir() {
			continue
		}
		if version, ok := strings.CutSuffix(rest, archiveSuffix); ok {
			versions = append(versions, version)
		}
	}
	return versions, nil
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
