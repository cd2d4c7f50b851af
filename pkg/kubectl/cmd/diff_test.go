// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
)

// wouldChange is an answer that changes a Deployment.
func wouldChange(image string) v1alpha1.InstallationDiffStatus {
	return v1alpha1.InstallationDiffStatus{
		Summary:  v1alpha1.DiffSummary{Changed: 1, Unchanged: 3},
		Releases: []v1alpha1.ReleaseStatus{{Name: "web", Namespace: "web", Chart: "podinfo", Version: "1.2.0"}},
		Notes:    []string{"1 hook is not run"},
		Objects: []v1alpha1.ObjectDiff{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "web", Name: "podinfo", Change: v1alpha1.DiffChanged,
			Diff: "--- live\n+++ applied\n@@ -1,3 +1,3 @@\n spec:\n-  image: podinfo:1\n+  image: " + image + "\n"}},
	}
}

func diffHost(t *testing.T, answer func(target string) v1alpha1.InstallationDiffStatus) *client {
	host := hosttest.New(t)
	host.Put(t, integration("web", v1alpha1.PhaseRunning, 3, 3))
	for n := 1; n <= 3; n++ {
		host.Put(t, installed("web", n, v1alpha1.PhaseRunning))
	}
	takes(t, host, "POST installations/diff", func(name string, d *v1alpha1.InstallationDiff) any {
		d.TypeMeta = metav1.TypeMeta{Kind: "InstallationDiff", APIVersion: "ksit.io/v1alpha1"}
		d.Status = answer(strings.TrimPrefix(name, "web."))
		return d
	})
	return newClient(t, host)
}

func TestDiffCollapsesEqualTargets(t *testing.T) {
	c := diffHost(t, func(name string) v1alpha1.InstallationDiffStatus {
		if name == target(2) {
			return wouldChange("podinfo:special")
		}
		return wouldChange("podinfo:2")
	})
	r := c.run("diff", "web")
	r.expect(t, 1)
	golden(t, "diff.golden", r.out)
	r = c.run("diff", "web", "--target", target(2), "--color", "always")
	r.expect(t, 1)
	golden(t, "diff-colour.golden", r.out)
}

func TestDiffExitCodes(t *testing.T) {
	c := diffHost(t, func(string) v1alpha1.InstallationDiffStatus {
		return v1alpha1.InstallationDiffStatus{Summary: v1alpha1.DiffSummary{Unchanged: 4}}
	})
	c.run("diff", "web").expect(t, 0, "# 3 targets: production-cluster-1", "0 to add, 0 to change, 0 to remove, 4 unchanged")
	c.run("diff").expect(t, 2, "name an INTEGRATION")
	c.run("diff", "none").expect(t, 2, "not found")
	c.run("diff", "web", "--no-such-flag").expect(t, 2, "unknown flag")

	refused := diffHost(t, func(string) v1alpha1.InstallationDiffStatus {
		return v1alpha1.InstallationDiffStatus{Objects: []v1alpha1.ObjectDiff{{Kind: "Role", Namespace: "web", Name: "r", Change: v1alpha1.DiffRefused, Message: "forbidden"}}}
	})
	refused.run("diff", "web").expect(t, 2, "# Refused Role web/r", "forbidden", "1 that the cluster would refuse", "not all objects would be accepted")
}

func TestDiffOfATargetThatCannotSay(t *testing.T) {
	host := storyHost(t)
	host.On("POST installations/diff", func(w http.ResponseWriter, _ *http.Request, _, name string) {
		if strings.HasSuffix(name, target(2)) {
			hosttest.Fail(w, 504, metav1.StatusReasonTimeout, "the target does not answer")
			return
		}
		hosttest.JSON(w, 201, v1alpha1.InstallationDiff{TypeMeta: metav1.TypeMeta{Kind: "InstallationDiff", APIVersion: "ksit.io/v1alpha1"}, Status: wouldChange("podinfo:2")})
	})
	newClient(t, host).run("diff", "web").expect(t, 2, "# target: production-cluster-1", "production-cluster-2: the target does not answer")
}

func TestDiffOfAFile(t *testing.T) {
	host := storyHost(t)
	var got *v1alpha1.IntegrationSpec
	takes(t, host, "POST installations/diff", func(_ string, d *v1alpha1.InstallationDiff) any {
		got = d.Spec.Integration
		d.TypeMeta = metav1.TypeMeta{Kind: "InstallationDiff", APIVersion: "ksit.io/v1alpha1"}
		d.Status = wouldChange("podinfo:2")
		return d
	})
	c := newClient(t, host)
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const header = "apiVersion: ksit.io/v1alpha1\nkind: Integration\nmetadata: {name: web}\nspec:\n  type: generic\n"
	c.run("diff", "-f", write(header+"  config: {namespace: web}\n---\nkind: ConfigMap\napiVersion: v1\n"), "--target", target(1)).expect(t, 1)
	if got == nil || got.Config["namespace"] != "web" {
		t.Errorf("the candidate that was sent is %+v", got)
	}
	for words, args := range map[string][]string{
		`unknown field "colour"`:   {"-f", write(header + "  colour: red\n")},
		`holds no Integration "x"`: {"x", "-f", write(header)},
		"holds no Integration of":  {"-f", write("kind: ConfigMap\napiVersion: v1\n")},
		"holds 2 Integrations":     {"-f", write(header + "---\n" + strings.Replace(header, "web", "other", 1))},
		"no such file":             {"-f", filepath.Join(t.TempDir(), "none")},
		"is larger than":           {"-f", write(strings.Repeat("#", maxCandidate+1))},
		"namespace \"b\"":          {"-n", "a", "-f", write(strings.Replace(header, "name: web", "name: web, namespace: b", 1))},
	} {
		c.run(append([]string{"diff"}, args...)...).expect(t, 2, words)
	}
}
