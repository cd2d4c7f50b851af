// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	kubefake "helm.sh/helm/v3/pkg/kube/fake"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"

	"ksit.io/ksit/pkg/installer/helm/render"
)

// bedCharts are the charts of the bed by name, packed as they stand in its
// sources.
func bedCharts(t testing.TB) map[string][]byte {
	t.Helper()
	charts := map[string][]byte{}
	sources, err := filepath.Glob("../../../test/bed/charts/*/*/Chart.yaml")
	if err != nil || len(sources) < 10 {
		t.Fatalf("the bed has the charts %v (%v)", sources, err)
	}
	for _, source := range sources {
		dir := filepath.Dir(source)
		content := files{}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || name == "versions.yaml" {
				return err
			}
			data, err := os.ReadFile(filepath.Join(dir, name))
			content[name] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(dir), "@")
		charts[filepath.Base(dir)] = packChart(t, name, "", content)
	}
	return charts
}

// inProcess is what Helm itself makes of a chart.
func inProcess(t *testing.T, archive []byte, request render.Request) (*release.Release, error) {
	t.Helper()
	name := nameIn(t, archive)
	loaded, err := loadChart(archive, name)
	if err != nil {
		t.Fatal(err)
	}
	config := &action.Configuration{
		Capabilities: request.Capabilities, KubeClient: &kubefake.PrintingKubeClient{Out: io.Discard},
		Releases: storage.Init(driver.NewMemory()), Log: func(string, ...any) {},
	}
	if !request.Release.Upgrade {
		install := action.NewInstall(config)
		install.ReleaseName, install.Namespace, install.DryRun, install.SkipCRDs = request.Release.Name, request.Release.Namespace, true, true
		return install.Run(loaded, request.Values)
	}
	err = config.Releases.Create(&release.Release{
		Name: request.Release.Name, Namespace: request.Release.Namespace, Version: request.Release.Revision - 1, Chart: loaded,
		Info: &release.Info{Status: release.StatusDeployed},
	})
	if err != nil {
		t.Fatal(err)
	}
	upgrade := action.NewUpgrade(config)
	upgrade.Namespace, upgrade.DryRun, upgrade.SkipCRDs, upgrade.ResetValues = request.Release.Namespace, true, true, true
	return upgrade.Run(request.Release.Name, loaded, request.Values)
}

func nameIn(t testing.TB, archive []byte) string {
	t.Helper()
	metadata, err := readMetadata(archive)
	if err != nil {
		t.Fatal(err)
	}
	return metadata.Name
}

// TestRendersAsHelm compares the child with Helm in process, for the charts of
// the bed and one with everything that a chart can do, as install and upgrade.
func TestRendersAsHelm(t *testing.T) {
	charts := bedCharts(t)
	charts["all"] = packChart(t, "all", "1.0.0", chartOfEverything(t))
	renderer, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.31.4+x", Major: "1", Minor: "31"}
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), "example.com/v1", "example.com/v1/Leaf")
	for _, file := range slices.Sorted(maps.Keys(charts)) {
		for _, as := range []render.Release{{Name: "web", Namespace: "shop", Revision: 1}, {Name: "web", Namespace: "shop", Revision: 7, Upgrade: true}} {
			request := render.Request{Archive: charts[file], Release: as, Capabilities: capabilities, Values: map[string]any{
				"number": int64(5), "text": "5", "written": json.Number("1000000"), "none": nil, "list": []any{"a", int64(1)},
				"sub": map[string]any{"enabled": true, "color": "blue"}, "global": map[string]any{"region": "eu"},
			}}
			want, wantErr := inProcess(t, charts[file], request)
			got, err := renderer.Render(t.Context(), request)
			if (err == nil) != (wantErr == nil) {
				t.Errorf("%s: %v, but Helm: %v", file, err, wantErr)
				continue
			}
			if err != nil {
				if err.Error() != wantErr.Error() {
					t.Errorf("%s: the error %q, but Helm: %q", file, err, wantErr)
				}
				continue
			}
			compareRendered(t, file, got, want)
		}
	}
}

func compareRendered(t *testing.T, file string, got *render.Result, want *release.Release) {
	t.Helper()
	byPath := func(a, b *release.Hook) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name)) }
	slices.SortFunc(got.Hooks, byPath)
	slices.SortFunc(want.Hooks, byPath)
	if diff := gocmp.Diff(want.Manifest, got.Manifest); diff != "" {
		t.Errorf("%s: the manifest differs: %s", file, diff)
	}
	if diff := gocmp.Diff(want.Info.Notes, got.Notes); diff != "" {
		t.Errorf("%s: the notes differ: %s", file, diff)
	}
	for what, pair := range map[string][2]any{
		"hooks": {want.Hooks, got.Hooks}, "values": {want.Chart.Values, got.Values}, "dependencies": {want.Chart.Metadata.Dependencies, got.Dependencies},
	} {
		if diff := gocmp.Diff(inJSON(t, pair[0]), inJSON(t, pair[1])); diff != "" {
			t.Errorf("%s: the %s differ: %s", file, what, diff)
		}
	}
}

// inJSON is how a release keeps it. Nothing is as good as an empty list or map.
func inJSON(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(encoded); s != "[]" && s != "{}" {
		return s
	}
	return "null"
}

// chartOfEverything has conditions, imports, schemas, hooks, notes, files,
// capabilities and numbers of all kinds.
func chartOfEverything(t *testing.T) files {
	t.Helper()
	sub := packChart(t, "sub", "1.0.0", files{
		"values.yaml":         "color: red\nexports: {data: {imported: true}}\n",
		"values.schema.json":  `{"properties": {"color": {"enum": ["red", "blue"]}}}`,
		"templates/c.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\ndata: {color: {{ .Values.color }}, region: {{ .Values.global.region }}}\n",
		"templates/NOTES.txt": "of the subchart\n",
	})
	off := packChart(t, "off", "1.0.0", files{"templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: off}\n"})
	return files{
		"Chart.yaml": "apiVersion: v2\nname: all\nversion: 1.0.0\nappVersion: \"2\"\nkubeVersion: \">=1.30.0-0\"\ndependencies:\n" +
			"- {name: sub, version: 1.0.0, repository: x, condition: sub.enabled, import-values: [data]}\n" +
			"- {name: off, version: 1.0.0, repository: x, condition: off.enabled}\n",
		"charts/sub-1.0.0.tgz": string(sub),
		"charts/off-1.0.0.tgz": string(off),
		"values.yaml":          "off: {enabled: false}\nsub: {enabled: false}\nsmall: 1\nlarge: 10000000\nratio: 0.5\nnone: there\n",
		"values.schema.json":   `{"type": "object", "properties": {"number": {"type": "integer"}}}`,
		"data.txt":             "of a file",
		"templates/_h.tpl":     `{{ define "name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}`,
		"templates/NOTES.txt":  "Revision {{ .Release.Revision }} of {{ include \"name\" . }}\n",
		"templates/z.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "name" . }}}
data:
  number: "{{ .Values.number }} {{ typeOf .Values.number }} {{ add .Values.number 1 }} {{ eq .Values.number 5 }}"
  text: "{{ .Values.text }} {{ typeOf .Values.text }}"
  written: "{{ .Values.written }} {{ typeOf .Values.written }}"
  chart: "{{ .Values.small }} {{ .Values.large }} {{ .Values.ratio }} {{ typeOf .Values.large }}"
  none: "{{ .Values.none }} {{ hasKey .Values "none" }}"
  list: {{ .Values.list | toJson | quote }}
  imported: "{{ .Values.imported }}"
  release: "{{ .Release.IsInstall }} {{ .Release.IsUpgrade }} {{ .Release.Revision }} {{ .Release.Service }} {{ .Release.Namespace }}"
  kube: "{{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.HelmVersion.Version }}"
  serves: "{{ .Capabilities.APIVersions.Has "example.com/v1/Leaf" }} {{ .Capabilities.APIVersions.Has "example.com/v2" }}"
  file: {{ .Files.Get "data.txt" | quote }}
  tpl: {{ tpl "{{ .Values.text }}" . | quote }}
  template: {{ .Template.Name }}
  looks: "{{ lookup "v1" "Secret" "shop" "x" | len }}"
  subcharts: {{ keys .Subcharts | sortAlpha | toJson | quote }}
`,
		"templates/a.yaml":     "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n",
		"templates/hook.yaml":  "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: h\n  annotations: {\"helm.sh/hook\": \"pre-install,post-upgrade\", \"helm.sh/hook-weight\": \"-5\", \"helm.sh/hook-delete-policy\": hook-succeeded}\n",
		"templates/test.yaml":  "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n  annotations: {\"helm.sh/hook\": test}\n",
		"templates/empty.yaml": "{{ if false }}x{{ end }}\n",
	}
}

// TestRenderErrorsAsHelm compares what goes wrong.
func TestRenderErrorsAsHelm(t *testing.T) {
	renderer, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content files
		fault   render.Fault
	}{
		"a schema":           {files{"values.schema.json": `{"properties": {"number": {"type": "string"}}}`}, render.FaultValues},
		"fail":               {files{"templates/a.yaml": `{{ fail "on purpose" }}`}, render.FaultTemplate},
		"required":           {files{"templates/a.yaml": `{{ required "give x" .Values.x }}`}, render.FaultTemplate},
		"a template":         {files{"templates/a.yaml": `{{ .Values.a.b.c }}`}, render.FaultTemplate},
		"a parse error":      {files{"templates/a.yaml": `{{ if }}`}, render.FaultTemplate},
		"no YAML":            {files{"templates/a.yaml": "a: b: c"}, render.FaultTemplate},
		"another Kubernetes": {files{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: \"<1.10\"\n"}, render.FaultChart},
	} {
		archive := packChart(t, "web", "1.0.0", test.content)
		request := render.Request{
			Archive: archive, Values: map[string]any{"number": int64(5)}, Capabilities: chartutil.DefaultCapabilities,
			Release: render.Release{Name: "web", Namespace: "shop", Revision: 1},
		}
		_, wantErr := inProcess(t, archive, request)
		_, err := renderer.Render(t.Context(), request)
		if err == nil || wantErr == nil || err.Error() != wantErr.Error() {
			t.Errorf("%s: %v, but Helm: %v", name, err, wantErr)
			continue
		}
		if failure, ok := err.(*render.Error); !ok || failure.Fault != test.fault {
			t.Errorf("%s: %#v, want %s", name, err, test.fault)
		}
	}
}

func TestShell(t *testing.T) {
	c := &chart.Chart{Metadata: &chart.Metadata{Name: "web", Version: "1.0.0", KubeVersion: "<1", Dependencies: []*chart.Dependency{{Name: "x"}}}}
	s := shell(c)
	if s.Name() != "web" || s.Metadata.KubeVersion != "" || s.Metadata.Dependencies != nil || c.Metadata.KubeVersion != "<1" {
		t.Errorf("%+v of %+v", s.Metadata, c.Metadata)
	}
}

// BenchmarkRender sets the child next to the engine in process.
func BenchmarkRender(b *testing.B) {
	renderer, err := render.New(render.Options{})
	if err != nil {
		b.Fatal(err)
	}
	charts := bedCharts(b)
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.31.4", Major: "1", Minor: "31"}
	for _, name := range []string{"podinfo-lite", "argo-cd", "kube-prometheus-stack"} {
		archive := charts[name]
		b.Run(name+"/child", func(b *testing.B) {
			for b.Loop() {
				_, err := renderer.Render(b.Context(), render.Request{
					Archive: archive, Capabilities: capabilities, Release: render.Release{Name: "web", Namespace: "shop", Revision: 1},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/in process", func(b *testing.B) {
			for b.Loop() {
				loaded, err := loadChart(archive, name)
				if err != nil {
					b.Fatal(err)
				}
				install := action.NewInstall(&action.Configuration{
					Capabilities: capabilities, KubeClient: &kubefake.PrintingKubeClient{Out: io.Discard},
					Releases: storage.Init(driver.NewMemory()), Log: func(string, ...any) {},
				})
				install.ReleaseName, install.Namespace, install.DryRun = "web", "shop", true
				if _, err := install.Run(loaded, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
