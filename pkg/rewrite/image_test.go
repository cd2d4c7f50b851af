// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"strings"
	"testing"
)

func imageTable(t testing.TB) *Table {
	t.Helper()
	table, err := New(nil,
		Rule{From: "docker.io/", To: "registry.internal/dockerhub/"},
		Rule{From: "docker.io/istio", To: "registry.internal/istio"},
		Rule{From: "quay.io/argoproj/argocd", To: "registry.internal:5000/argo-cd"},
		Rule{From: "localhost:5000", To: "registry.internal/local"},
		Rule{From: "[::1]:5000/x", To: "registry.internal/six"},
		Rule{From: "ghcr.io", To: "ghcr.io/mirror"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestImage(t *testing.T) {
	table := imageTable(t)
	digest := "@sha256:" + strings.Repeat("a", 64)
	for in, want := range map[string]string{
		"nginx":                               "registry.internal/dockerhub/library/nginx",
		"nginx:1.25":                          "registry.internal/dockerhub/library/nginx:1.25",
		"nginx" + digest:                      "registry.internal/dockerhub/library/nginx" + digest,
		"nginx:1.25" + digest:                 "registry.internal/dockerhub/library/nginx:1.25" + digest,
		"library/nginx":                       "registry.internal/dockerhub/library/nginx",
		"grafana/grafana:10":                  "registry.internal/dockerhub/grafana/grafana:10",
		"docker.io/nginx":                     "registry.internal/dockerhub/library/nginx",
		"docker.io/library/nginx":             "registry.internal/dockerhub/library/nginx",
		"index.docker.io/library/nginx":       "registry.internal/dockerhub/library/nginx",
		"Docker.IO/library/nginx":             "registry.internal/dockerhub/library/nginx",
		"istio/pilot:1.20.2":                  "registry.internal/istio/pilot:1.20.2",
		"docker.io/istio/pilot:1.20.2":        "registry.internal/istio/pilot:1.20.2",
		"istiox/pilot":                        "registry.internal/dockerhub/istiox/pilot",
		"quay.io/argoproj/argocd:v2.9.3":      "registry.internal:5000/argo-cd:v2.9.3",
		"quay.io/argoproj/argocd" + digest:    "registry.internal:5000/argo-cd" + digest,
		"quay.io/argoproj/argocd-extra:v1":    "quay.io/argoproj/argocd-extra:v1",
		"quay.io/argoproj":                    "quay.io/argoproj",
		"quay.io:443/argoproj/argocd":         "quay.io:443/argoproj/argocd",
		"localhost:5000/x:y":                  "registry.internal/local/x:y",
		"localhost/x":                         "localhost/x",
		"[::1]:5000/x/y:z":                    "registry.internal/six/y:z",
		"registry.internal/dockerhub/x":       "registry.internal/dockerhub/x",
		"registry.internal:5000/argo-cd:v1":   "registry.internal:5000/argo-cd:v1",
		"ghcr.io/x/y:1":                       "ghcr.io/mirror/x/y:1",
		"ghcr.io/mirror/x/y:1":                "ghcr.io/mirror/x/y:1",
		"":                                    "",
		"auto":                                "auto",
		"{{ .Values.image }}":                 "{{ .Values.image }}",
		"docker.io/../x":                      "docker.io/../x",
		"docker.io//x":                        "docker.io//x",
		"https://docker.io/x":                 "https://docker.io/x",
		":tag":                                ":tag",
		"@sha256:1":                           "@sha256:1",
		strings.Repeat("x", 300):              strings.Repeat("x", 300),
		"registry.k8s.io/pause:3.10" + digest: "registry.k8s.io/pause:3.10" + digest,
	} {
		got := table.Image(in)
		if got != want {
			t.Errorf("Image(%q) = %q, want %q", in, got, want)
		}
		if again := table.Image(got); again != got {
			t.Errorf("Image(%q) = %q, then %q", in, got, again)
		}
	}
	if got := (*Table)(nil).Image("nginx"); got != "nginx" {
		t.Errorf("without a table: %q", got)
	}
}

func FuzzImage(f *testing.F) {
	table := imageTable(f)
	for _, seed := range []string{"nginx", "a/b:c@sha256:d", "localhost:5000/x", "docker.io/../x", "[::1]:5000/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := table.Image(in)
		if again := table.Image(got); again != got {
			t.Fatalf("%q became %q, then %q", in, got, again)
		}
		name, suffix := splitImage(in)
		if name+suffix != in || !strings.HasSuffix(got, suffix) {
			t.Fatalf("%q became %q and lost %q", in, got, suffix)
		}
	})
}
