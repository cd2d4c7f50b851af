// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const plainIndex = `apiVersion: v1
entries:
  alpha:
  - apiVersion: v2
    description: |
      first line
    urls: [a]
    version: 9.9.9
  web:
  - apiVersion: v2
    annotations:
      artifacthub.io/changes: |
        - kind: changed
          description: "entries:"

        # not a comment
    dependencies:
    - name: sub
      version: 1.x
    description: 'goes on
      in the next line: - really'
    digest: abc
    name: web
    urls:
    - web-1.1.0.tgz
    - other
    version: 1.1.0
  # a comment
  - digest: def
    urls:
    - https://example.com/web-1.0.0.tgz
    version: "1.0.0"
  - version: 0.9.0
  - urls: [x]
  - removed: true
    version: 0.8.0
    urls: [x]
  zulu: []
generated: "2024-01-01T00:00:00Z"
`

func TestParseIndex(t *testing.T) {
	want := chartVersions{
		names: []string{"alpha", "web", "zulu"},
		versions: []indexEntry{
			{Version: "1.1.0", URLs: []string{"web-1.1.0.tgz"}, Digest: "abc"},
			{Version: "1.0.0", URLs: []string{"https://example.com/web-1.0.0.tgz"}, Digest: "def"},
		},
	}
	asJSON, err := yaml.YAMLToJSON([]byte(plainIndex))
	if err != nil {
		t.Fatal(err)
	}
	for name, index := range map[string]string{
		"as Helm writes it":  plainIndex,
		"Windows line ends":  strings.ReplaceAll(plainIndex, "\n", "\r\n"),
		"byte order mark":    "\xef\xbb\xbf" + plainIndex,
		"document start":     "---\n# a comment\n" + plainIndex,
		"JSON":               string(asJSON),
		"quoted names":       strings.Replace(plainIndex, "  web:", `  "web":`, 1),
		"flow style":         "entries: " + string(mustSection(t, asJSON)),
		"entries at the end": strings.Replace(plainIndex, "generated: \"2024-01-01T00:00:00Z\"\n", "", 1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseIndex([]byte(index), "web")
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got.names)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(chartVersions{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{"", "<html>no</html>", "entries", "a: b", "entries: []", "{", `{"entries": 1}`, "entries:\n  web: 1\n", "- a\n- b\n"} {
		if got, err := parseIndex([]byte(bad), "web"); err == nil && len(got.versions) > 0 {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func mustSection(t *testing.T, index []byte) []byte {
	t.Helper()
	var whole map[string]any
	if err := yaml.Unmarshal(index, &whole); err != nil {
		t.Fatal(err)
	}
	out, err := yaml.Marshal(whole["entries"])
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(out)
	if err != nil {
		t.Fatal(err)
	}
	return asJSON
}

// bigIndex is of the size of that of a large public repository.
func bigIndex(charts, versions int) []byte {
	var out strings.Builder
	out.WriteString("apiVersion: v1\nentries:\n")
	for c := range charts {
		fmt.Fprintf(&out, "  chart-%03d:\n", c)
		for v := range versions {
			fmt.Fprintf(&out, "  - apiVersion: v2\n    appVersion: 1.2.%d\n    description: %s\n    digest: %064d\n    name: chart-%03d\n    urls:\n    - https://example.com/charts/chart-%03d-1.0.%d.tgz\n    version: 1.0.%d\n",
				v, strings.Repeat("what this chart is good for ", 40), v, c, c, v, v)
		}
	}
	return []byte(out.String())
}

func TestParseBigIndex(t *testing.T) {
	index := bigIndex(100, 80)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got, err := parseIndex(index, "chart-050")
	runtime.ReadMemStats(&after)
	if err != nil || len(got.versions) != 80 || len(got.names) != 100 {
		t.Fatalf("%d versions, %d names, %v", len(got.versions), len(got.names), err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > uint64(len(index)) {
		t.Errorf("reading one chart of an index of %d KiB allocated %d KiB", len(index)>>10, allocated>>10)
	}
}

func BenchmarkParseIndex(b *testing.B) {
	index := bigIndex(100, 80)
	b.SetBytes(int64(len(index)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseIndex(index, "chart-050"); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParseIndex makes sure that whatever text a chart holds, the index that an
// encoder writes is cut where its versions end.
func FuzzParseIndex(f *testing.F) {
	f.Add("web", "plain")
	f.Add("web", "- kind: a\nentries:\n  web:\n  - version: 6")
	f.Add("w: b", "a\n\n\n  b: |\n# c\n--- \n\t- d\n")
	f.Add("- web", " leading and trailing \n")
	f.Fuzz(func(t *testing.T, name, text string) {
		want := []indexEntry{{Version: "2.0.0", URLs: []string{"b"}}, {Version: "1.0.0", URLs: []string{"a"}}}
		item := func(e indexEntry) map[string]any {
			return map[string]any{"annotations": map[string]string{"zz": text, text: "x"}, "description": text, "version": e.Version, "urls": e.URLs, "zzz": []string{text, text}}
		}
		data, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "entries": map[string]any{
			name: []any{item(want[0]), item(want[1])}, name + "a": []any{item(indexEntry{Version: "3.0.0", URLs: []string{"c"}})},
		}})
		if err != nil {
			t.Skip("not text")
		}
		var back map[string]map[string]any
		_ = yaml.Unmarshal(data, &back)
		if _, ok := back["entries"][name]; !ok {
			t.Skip("the name does not survive YAML")
		}
		got, err := parseIndex(data, name)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, data)
		}
		if diff := cmp.Diff(want, got.versions); diff != "" {
			t.Fatalf("%s in:\n%s", diff, data)
		}
	})
}

// FuzzParseAnything makes sure that nothing makes it give up but with an error.
func FuzzParseAnything(f *testing.F) {
	f.Add([]byte(plainIndex))
	f.Add([]byte(`{"entries":{"web":[{"version":"1","urls":["a"]}]}}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseIndex(data, "web") })
}
