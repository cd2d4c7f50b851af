// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

func TestResolve(t *testing.T) {
	repo := serveCharts(t)
	registry := serveOCI(t)
	registry.push(t, "charts/early", "1.0.0-rc.1", nil, chartMediaTypes[0])
	for _, version := range []string{"1.0.0", "1.1.0", "2.0.0", "3.0.0-rc.1"} {
		repo.add(t, "web", version, nil)
		registry.push(t, "charts/web", version, packChart(t, "web", version, nil), chartMediaTypes[0])
	}
	registry.push(t, "charts/web", "sha256-"+strings.Repeat("a", 64)+".sig", nil, payloadMediaType)
	dir := t.TempDir()
	for _, version := range []string{"1.0.0", "1.0.1"} {
		if err := os.WriteFile(filepath.Join(dir, "local-"+version+".tgz"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i, err := New(Options{Fetch: newSources(t, Options{}, fetch.Options{AllowLocal: true}).fetch, ChartsDir: dir, AllowLocalSources: true})
	if err != nil {
		t.Fatal(err)
	}
	oci := strings.Replace(registry.URL, "http:", "oci:", 1) + "/charts"
	for name, test := range map[string]struct {
		repository, chart, version string
		want                       installer.Versions
		reason                     installer.Reason
	}{
		"a range":                              {repo.URL, "web", "~1", installer.Versions{Match: "1.1.0", Newest: "2.0.0"}, ""},
		"any version":                          {repo.URL, "web", "", installer.Versions{Match: "2.0.0", Newest: "2.0.0"}, ""},
		"an exact version":                     {repo.URL, "web", "1.0.0", installer.Versions{Match: "1.0.0", Newest: "2.0.0"}, ""},
		"a pre-release":                        {repo.URL, "web", ">=3.0.0-0", installer.Versions{Match: "3.0.0-rc.1", Newest: "2.0.0"}, ""},
		"nothing in the range":                 {repo.URL, "web", "~9", installer.Versions{}, installer.ReasonChartNotFound},
		"no such chart":                        {repo.URL, "none", "~1", installer.Versions{}, installer.ReasonChartNotFound},
		"no such repository":                   {repo.URL + "/none", "web", "~1", installer.Versions{}, installer.ReasonRepositoryUnreachable},
		"not a range":                          {repo.URL, "web", "newest", installer.Versions{}, installer.ReasonChartNotFound},
		"no chart":                             {repo.URL, "", "~1", installer.Versions{}, installer.ReasonChartNotFound},
		"a range of a registry":                {oci, "web", "~1", installer.Versions{Match: "1.1.0", Newest: "2.0.0"}, ""},
		"only pre-releases":                    {oci, "early", ">0-0", installer.Versions{Match: "1.0.0-rc.1"}, ""},
		"nothing in the range of a registry":   {oci, "web", "~9", installer.Versions{}, installer.ReasonChartNotFound},
		"no such chart of a registry":          {oci, "none", "~1", installer.Versions{}, installer.ReasonChartNotFound},
		"local archives, without a repository": {"", "local", "~1", installer.Versions{Match: "1.0.1", Newest: "1.0.1"}, ""},
		"none of the local archives":           {"", "local", "~2", installer.Versions{}, installer.ReasonChartNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := i.Resolve(t.Context(), &v1alpha1.HelmConfig{Repository: test.repository, Chart: test.chart, Version: test.version}, installer.Sources{})
			if got != test.want || (err != nil) != (test.reason != "") || (err != nil && installer.ReasonOf(err) != test.reason) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("behind a password", func(t *testing.T) {
		private := serveCharts(t)
		private.add(t, "web", "1.0.0", nil)
		private.guard = basic(new([]string))
		config := &v1alpha1.HelmConfig{Repository: private.URL, Chart: "web", Version: "~1"}
		if _, err := i.Resolve(t.Context(), config, installer.Sources{}); installer.ReasonOf(err) != installer.ReasonRepositoryUnreachable {
			t.Error(err)
		}
		if got, err := i.Resolve(t.Context(), config, installer.Sources{Access: &right}); err != nil || got.Match != "1.0.0" {
			t.Error(got, err)
		}
	})
}
