// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs checks the documents against the sources: what they name exists,
// and what a user can be shown is explained.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// page is a document by its path from the root.
type page struct {
	path, text string
}

func pages(t *testing.T) []page {
	t.Helper()
	paths := []string{"README.md"}
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no documents in docs (%v)", err)
	}
	for _, name := range found {
		paths = append(paths, "docs/"+filepath.Base(name))
	}
	var all []page
	for _, path := range paths {
		all = append(all, page{path, read(t, path)})
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var (
	fence = regexp.MustCompile("(?ms)^```.*?^```")
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// TestLinks follows every link that leads to a file of the repository, to its
// heading where it names one.
func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			path, heading, _ := strings.Cut(match[1], "#")
			target := p.path
			if path != "" {
				target = filepath.Join(filepath.Dir(p.path), path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", p.path, match[1])
				continue
			}
			if heading != "" && !slices.Contains(headings(read(t, target)), heading) {
				t.Errorf("%s: the link to %s names a heading that is not there", p.path, match[1])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// headings returns the anchors of a document.
func headings(text string) []string {
	var anchors []string
	for line := range strings.Lines(fence.ReplaceAllString(text, "")) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			anchor := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
		}
	}
	return anchors
}

var artifact = regexp.MustCompile(`\bartifacts/[A-Za-z0-9_./-]*[A-Za-z0-9_/-]`)

func TestArtifacts(t *testing.T) {
	for _, p := range pages(t) {
		for _, path := range artifact.FindAllString(p.text, -1) {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s names %s, which is not there", p.path, path)
			}
		}
	}
}

// TestReasons asks of the guide that it explains every reason that a condition,
// an event or an unhealthy object can carry.
func TestReasons(t *testing.T) {
	guide := read(t, "docs/troubleshooting.md")
	for _, reason := range reasons(t) {
		if !strings.Contains(guide, "`"+reason.word+"`") {
			t.Errorf("docs/troubleshooting.md does not explain %s, of %s", reason.word, reason.path)
		}
	}
}

var (
	flagRow = regexp.MustCompile("(?m)^\\| (`--[^|]*)\\|[^|]*\\|([^|]*)\\|")
	flag    = regexp.MustCompile("`(--[a-z0-9-]+)`")
)

// TestFlags checks the table of flags against the flags of the commands.
func TestFlags(t *testing.T) {
	rows := flagRow.FindAllStringSubmatch(read(t, "docs/operations.md"), -1)
	if len(rows) == 0 {
		t.Fatal("no table of flags in docs/operations.md")
	}
	for _, row := range rows {
		commands := []string{"server", "apiserver", "controller-manager"}
		if of := strings.TrimSpace(row[2]); of != "all" {
			commands = strings.Split(of, ", ")
		}
		for _, command := range commands {
			known := "\n" + read(t, "pkg/cmd/testdata/"+command+".flags")
			for _, name := range flag.FindAllStringSubmatch(row[1], -1) {
				if !strings.Contains(known, "\n"+name[1]+"\n") && !strings.Contains(known, "\n"+name[1]+" ") {
					t.Errorf("docs/operations.md: ksit %s has no flag %s", command, name[1])
				}
			}
		}
	}
}

var metric = regexp.MustCompile(`\bksit_[a-z_]+`)

// TestMetrics checks that every metric that a document names is one.
func TestMetrics(t *testing.T) {
	sources := ""
	for _, pattern := range []string{"pkg/metrics/*.go", "pkg/*/metrics.go"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no sources of metrics at %s (%v)", pattern, err)
		}
		for _, name := range found {
			path, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(path, "_test.go") {
				sources += read(t, path)
			}
		}
	}
	for _, p := range pages(t) {
		for _, name := range metric.FindAllString(p.text, -1) {
			// A histogram has series of other names; metrics of etcd have their
			// prefix from the registry.
			written := strings.TrimSuffix(name, "_bucket")
			if short, ok := strings.CutPrefix(written, "ksit_etcd_"); ok {
				written = short
			}
			if !strings.Contains(sources, `"`+written+`"`) {
				t.Errorf("%s names the metric %s, which is not there", p.path, name)
			}
		}
	}
}
