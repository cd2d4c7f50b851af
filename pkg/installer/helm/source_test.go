// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

func newSources(t *testing.T, options Options, client fetch.Options) *sources {
	t.Helper()
	client.Rewrites = options.Rewrites
	c, err := fetch.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	options.Fetch = c
	i, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return i.sources
}

func reference(t *testing.T, repository, chart, version string) chartRef {
	t.Helper()
	v, err := parseRange(version)
	if err != nil {
		t.Fatal(err)
	}
	return chartRef{repository: repository, chart: chart, version: v}
}

func TestRepository(t *testing.T) {
	repo := serveCharts(t)
	for _, v := range []string{"1.0.0", "1.1.0", "2.0.0-rc.1"} {
		repo.add(t, "web", v, nil)
	}
	repo.addArchive("broken", "1.0.0", []byte("not what the digest says"), strings.Repeat("f", 64))
	cache := t.TempDir()
	s := newSources(t, Options{CacheDir: cache}, fetch.Options{AllowLocal: true})

	found, err := s.get(t.Context(), reference(t, repo.URL, "web", "~1"))
	if err != nil || found.version != "1.1.0" {
		t.Fatal(found.version, err)
	}
	if _, err := loadChart(found.data, "web"); err != nil {
		t.Error(err)
	}
	// Nothing is fetched twice: the index is fresh, the archive on disk.
	if _, err := s.get(t.Context(), reference(t, repo.URL+"/", "web", "1.1.0")); err != nil {
		t.Error(err)
	}
	repo.indexes.Store(0)
	for range 3 {
		if _, err := s.get(t.Context(), reference(t, repo.URL, "web", "1.1.0")); err != nil {
			t.Error(err)
		}
	}
	if i, a := repo.indexes.Load(), repo.archives.Load(); i != 0 || a != 1 {
		t.Errorf("the index was fetched %d times, archives %d times", i, a)
	}
	// An index that is not fresh is asked for on condition.
	s.indexes.now = func() time.Time { return time.Now().Add(time.Hour) }
	if _, err := s.get(t.Context(), reference(t, repo.URL, "web", "1.1.0")); err != nil {
		t.Error(err)
	}
	if i, u := repo.indexes.Load(), repo.unchanged.Load(); i != 0 || u == 0 {
		t.Errorf("an old index: fetched %d times, unchanged %d times", i, u)
	}
	s.indexes.now = time.Now
	// A version that was published since is found although the index is fresh.
	repo.add(t, "web", "3.0.0", nil)
	if found, err := s.get(t.Context(), reference(t, repo.URL, "web", "3.0.0")); err != nil || found.version != "3.0.0" {
		t.Error(found.version, err)
	}

	for name, test := range map[string]struct {
		ref      chartRef
		reason   installer.Reason
		terminal bool
		says     []string
	}{
		"no such version": {reference(t, repo.URL, "web", "9.9.9"), installer.ReasonChartNotFound, false, []string{"9.9.9", "3.0.0, 2.0.0-rc.1, 1.1.0, 1.0.0"}},
		"no such chart":   {reference(t, repo.URL, "wep", "1.0.0"), installer.ReasonChartNotFound, false, []string{"wep", "it has web"}},
		"nothing near":    {reference(t, repo.URL, "completely-different", "1.0.0"), installer.ReasonChartNotFound, false, []string{"2 charts"}},
		"wrong digest":    {reference(t, repo.URL, "broken", "1.0.0"), installer.ReasonDigestMismatch, false, []string{"digest"}},
		"no repository":   {reference(t, repo.URL+"/charts", "web", "1.0.0"), installer.ReasonRepositoryUnreachable, false, []string{"not a chart repository"}},
		"nobody there":    {reference(t, "http://127.0.0.1:1", "web", "1.0.0"), installer.ReasonRepositoryUnreachable, false, nil},
		"a bad URL":       {reference(t, "ftp://example.com", "web", "1.0.0"), installer.ReasonRepositoryUnreachable, true, []string{"http"}},
		"no URL":          {reference(t, "", "web", "1.0.0"), installer.ReasonChartNotFound, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.get(t.Context(), test.ref)
			wantReason(t, err, test.reason, test.terminal, test.says...)
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newSources(t, Options{}, fetch.Options{AllowLocal: true}).get(ctx, reference(t, repo.URL, "web", "1.0.0"))
		wantReason(t, err, installer.ReasonCanceled, false)
	})
	t.Run("refused", func(t *testing.T) {
		_, err := newSources(t, Options{}, fetch.Options{}).get(t.Context(), reference(t, repo.URL, "web", "1.0.0"))
		wantReason(t, err, installer.ReasonRepositoryUnreachable, true, "loopback")
	})
	t.Run("not allowed", func(t *testing.T) {
		list, err := fetch.ParseAllowedSources([]string{"https://charts.example.com", repo.URL + "/some"})
		if err != nil {
			t.Fatal(err)
		}
		s := newSources(t, Options{}, fetch.Options{AllowLocal: true, Allowed: list})
		for _, repository := range []string{repo.URL, "https://evil.example.com", "oci://charts.example.com/x"} {
			_, err := s.get(t.Context(), reference(t, repository, "web", "1.0.0"))
			wantReason(t, err, installer.ReasonSourceRefused, true, "--allowed-sources", "https://charts.example.com, "+repo.URL+"/some")
			_, err = s.versions(t.Context(), reference(t, repository, "web", "1.0.0"))
			wantReason(t, err, installer.ReasonSourceRefused, true, "--allowed-sources")
		}
	})
	t.Run("an archive that is not allowed", func(t *testing.T) {
		elsewhere := serveCharts(t)
		elsewhere.add(t, "web", "1.0.0", nil)
		index := serveCharts(t)
		index.index["web"] = []string{"  - name: web\n    version: 1.0.0\n    urls: [\"" + elsewhere.URL + "/charts/web-1.0.0.tgz\"]\n"}
		list, err := fetch.ParseAllowedSources([]string{index.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = newSources(t, Options{}, fetch.Options{AllowLocal: true, Allowed: list}).get(t.Context(), reference(t, index.URL, "web", "1.0.0"))
		wantReason(t, err, installer.ReasonSourceRefused, true, elsewhere.URL)
		if n := elsewhere.archives.Load(); n != 0 {
			t.Errorf("%d archives were fetched", n)
		}
	})
	t.Run("rewritten", func(t *testing.T) {
		table, err := rewrite.New([]rewrite.Rule{{From: "https://charts.example.com/web", To: repo.URL}})
		if err != nil {
			t.Fatal(err)
		}
		found, err := newSources(t, Options{Rewrites: table}, fetch.Options{}).get(t.Context(), reference(t, "https://charts.example.com/web", "web", "1.0.0"))
		if err != nil || found.version != "1.0.0" {
			t.Error(found.version, err)
		}
		_, err = newSources(t, Options{Rewrites: table}, fetch.Options{}).get(t.Context(), reference(t, "https://charts.example.com/web", "web", "9.9.9"))
		wantReason(t, err, installer.ReasonChartNotFound, false, "https://charts.example.com/web (rewritten to "+repo.URL+")")
	})
}

func TestLocalCharts(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"web-1.0.0.tgz":       packChart(t, "web", "1.0.0", nil),
		"web-1.2.0+build.tgz": packChart(t, "web", "1.2.0+build", nil),
		"web-apps-9.0.0.tgz":  packChart(t, "web-apps", "9.0.0", nil),
		"web-latest.tgz":      []byte("x"),
		"web-1.9.0.zip":       []byte("x"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "web-3.0.0.tgz"), 0o700); err != nil {
		t.Fatal(err)
	}
	repo := serveCharts(t)
	repo.add(t, "web", "2.0.0", nil)
	s := newSources(t, Options{ChartsDir: dir}, fetch.Options{AllowLocal: true})
	for want, version := range map[string]string{"1.0.0": "1.0.0", "~1": "1.2.0+build", "": "1.2.0+build", "2.0.0": "2.0.0", ">1": "2.0.0"} {
		found, err := s.get(t.Context(), reference(t, repo.URL, "web", want))
		if err != nil || found.version != version {
			t.Errorf("%q: %s, %v", want, found.version, err)
		}
	}
	_, err := s.get(t.Context(), reference(t, "", "web", "3.0.0"))
	wantReason(t, err, installer.ReasonChartNotFound, true)
}

func TestResolveURL(t *testing.T) {
	for _, test := range [][3]string{
		{"https://a.example/charts", "web-1.tgz", "https://a.example/charts/web-1.tgz"},
		{"https://a.example/charts/", "web-1.tgz", "https://a.example/charts/web-1.tgz"},
		{"https://a.example/charts", "/web-1.tgz", "https://a.example/web-1.tgz"},
		{"https://a.example/charts", "../web-1.tgz", "https://a.example/web-1.tgz"},
		{"https://a.example/charts", "https://b.example/web-1.tgz", "https://b.example/web-1.tgz"},
		{"https://a.example/charts?sig=x", "web-1.tgz", "https://a.example/charts/web-1.tgz?sig=x"},
		{"https://a.example/charts?sig=x", "https://b.example/web-1.tgz", "https://b.example/web-1.tgz"},
		{"https://a.example/charts", "oci://b.example/web:1", "oci://b.example/web:1"},
	} {
		if got, err := resolveURL(test[0], test[1]); err != nil || got != test[2] {
			t.Errorf("resolveURL(%q, %q) = %q, %v", test[0], test[1], got, err)
		}
	}
}
