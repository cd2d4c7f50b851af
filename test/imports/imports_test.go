// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "ksit.io/ksit"

// source is a Go file of the repository.
type source struct {
	path    string
	test    bool
	imports []string
}

// tree is the Go files by directory.
type tree map[string][]source

func parseTree(t *testing.T) tree {
	t.Helper()
	sources := tree{}
	files(t, func(name string, content []byte) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		s := source{path: name, test: strings.HasSuffix(name, "_test.go")}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			s.imports = append(s.imports, imported)
		}
		dir := path.Dir(name)
		sources[dir] = append(sources[dir], s)
	})
	return sources
}

func under(name, prefix string) bool {
	return name == prefix || strings.HasPrefix(name, prefix+"/")
}

func underAny(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return under(name, prefix) })
}

// TestOnly holds what only some directories may import.
func TestOnly(t *testing.T) {
	rules := []struct {
		imported string
		dirs     []string
		why      string
	}{
		{"helm.sh/helm", []string{"pkg/installer/helm", "test"}, "Helm is one way of installing: the rest works without it"},
		{"k8s.io/kubernetes", []string{"test/bed"}, "it is no library"},
		{"sigs.k8s.io/controller-runtime", nil, "one informer machinery is enough"},
		{"github.com/onsi/ginkgo", nil, "tests are plain"},
		{"github.com/onsi/gomega", nil, "tests are plain"},
		{"github.com/stretchr/testify", nil, "tests are plain: compare with go-cmp"},
		{"go.etcd.io/etcd/server", []string{"pkg/etcd", "test"}, "the embedded etcd has one home"},
		{"k8s.io/kubectl", []string{"pkg/kubectl", "test"}, "it is the plug-in's"},
	}
	for dir, sources := range parseTree(t) {
		for _, s := range sources {
			for _, imported := range s.imports {
				for _, rule := range rules {
					if under(imported, rule.imported) && !underAny(dir, rule.dirs) {
						t.Errorf("%s imports %s: %s", s.path, imported, rule.why)
					}
				}
			}
		}
	}
}

// TestLayers holds which packages must not need which others, not even through
// a third one.
func TestLayers(t *testing.T) {
	rules := []struct {
		dirs, banned []string
		why          string
	}{
		{
			[]string{"pkg/apiserver", "pkg/registry", "pkg/apis", "pkg/admission"},
			[]string{"pkg/installer", "pkg/controller", "pkg/cluster", "pkg/health"},
			"the API server acts on no target",
		},
		{[]string{"pkg/apis"}, []string{"pkg/registry", "pkg/apiserver", "pkg/generated/clientset", "pkg/cmd"}, "the types stand at the bottom"},
		{[]string{"pkg/etcd"}, []string{"pkg/apiserver", "pkg/registry", "pkg/controller"}, "a store knows nothing of what is in it"},
		{
			[]string{"pkg/rewrite", "pkg/fetch", "pkg/catalog", "pkg/metrics", "pkg/expression", "pkg/safeyaml"},
			[]string{"pkg/installer", "pkg/controller", "pkg/cluster", "pkg/apiserver", "pkg/cmd"},
			"it is a library of this repository",
		},
		{[]string{"pkg/cluster"}, []string{"pkg/installer", "pkg/controller", "pkg/health"}, "a connection does not know what goes over it"},
		{[]string{"pkg/preview"}, []string{"pkg/installer", "pkg/controller", "pkg/live"}, "who compares does not know how an apply writes"},
		{[]string{"pkg/installer"}, []string{"pkg/controller", "pkg/apiserver", "pkg/cmd"}, "who installs does not know who asked"},
		{[]string{"pkg/generated"}, []string{"pkg/apiserver", "pkg/registry", "pkg/controller", "pkg/installer"}, "clients of the API must stay small"},
		{
			[]string{"cmd/kubectl-ksit", "pkg/kubectl"},
			[]string{"pkg/installer", "pkg/controller", "pkg/apiserver", "pkg/registry", "pkg/etcd", "pkg/admission", "pkg/cmd"},
			"the plug-in is a client",
		},
		{[]string{"pkg"}, []string{"cmd"}, "commands use packages"},
	}
	sources := parseTree(t)
	for _, dir := range slices.Sorted(maps.Keys(sources)) {
		for _, rule := range rules {
			if !underAny(dir, rule.dirs) {
				continue
			}
			if chain := sources.chain(dir, rule.banned); chain != nil {
				t.Errorf("%s: %s", strings.Join(chain, " imports "), rule.why)
			}
		}
	}
}

// chain returns how the package in dir comes to need a banned one: a file of
// each package on the way, then the banned package. Files of tests are left
// out.
func (s tree) chain(dir string, banned []string) []string {
	type step struct {
		dir  string
		path []string
	}
	seen := map[string]bool{dir: true}
	queue := []step{{dir: dir}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, file := range s[at.dir] {
			if file.test {
				continue
			}
			for _, imported := range file.imports {
				next, ours := strings.CutPrefix(imported, module+"/")
				if !ours || seen[next] {
					continue
				}
				seen[next] = true
				path := append(slices.Clone(at.path), file.path)
				if underAny(next, banned) {
					return append(path, next)
				}
				queue = append(queue, step{next, path})
			}
		}
	}
	return nil
}

// TestTestsStayInTests makes sure that nothing that ships needs the packages
// that tests are made of.
func TestTestsStayInTests(t *testing.T) {
	for dir, sources := range parseTree(t) {
		if under(dir, "test") || strings.HasSuffix(dir, "test") {
			continue
		}
		for _, s := range sources {
			for _, imported := range s.imports {
				if !s.test && (under(imported, module+"/test") || imported == "testing") {
					t.Errorf("%s imports %s and is no test", s.path, imported)
				}
			}
		}
	}
}

// TestChain makes sure that the rules above would be noticed when broken.
func TestChain(t *testing.T) {
	file := func(path string, imports ...string) source {
		return source{path: path, test: strings.HasSuffix(path, "_test.go"), imports: imports}
	}
	sources := tree{
		"pkg/a": {file("pkg/a/a.go", "fmt", module+"/pkg/b"), file("pkg/a/a_test.go", module+"/pkg/bad")},
		"pkg/b": {file("pkg/b/b.go", module+"/pkg/a", module+"/pkg/c")},
		"pkg/c": {file("pkg/c/c.go", module+"/pkg/bad/inner")},
		"pkg/d": {file("pkg/d/d.go", module+"/pkg/badly")},
	}
	if got := strings.Join(sources.chain("pkg/a", []string{"pkg/bad"}), " "); got != "pkg/a/a.go pkg/b/b.go pkg/c/c.go pkg/bad/inner" {
		t.Errorf("chain %q", got)
	}
	if got := sources.chain("pkg/d", []string{"pkg/bad"}); got != nil {
		t.Errorf("chain %q", got)
	}
}
