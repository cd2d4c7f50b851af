// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func TestLeaving(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.charts.add(t, "fragile", "1.0.0", fragile)
	for name, test := range map[string]func(*testing.T){
		"disown":           b.testDisown,
		"made anew":        b.testMadeAnew,
		"removed on wish":  b.testRemoveAdopted,
		"adoption refused": b.testRefuseFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func (b *bench) testDisown(t *testing.T) {
	const ns = "disown"
	mine := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "a"})
	b.apply(t, mine)
	mine = withValues(mine, valueMap{"color": "b"})
	result := b.apply(t, mine)
	other := mine
	other.Owner.Integration = "other"
	for _, owner := range []installer.Owner{other.Owner, mine.Owner, mine.Owner} {
		if err := b.installer.Disown(t.Context(), b.conn, owner, result.Releases); err != nil {
			t.Fatal(err)
		}
		for _, s := range b.releaseSecrets(t, ns, "fragile") {
			if _, owned := ownerOf(s.Labels); owned != (owner == other.Owner) {
				t.Errorf("after %s let go, %s has the labels %v", owner, s.Name, s.Labels)
			}
		}
	}
	b.wantColor(t, ns, "b")

	adopted := b.apply(t, other)
	if !adopted.Releases[0].Adopted || adopted.Releases[0].Revision != 2 {
		t.Errorf("adopted %+v", adopted)
	}
	_, err := b.installer.Apply(t.Context(), b.conn, mine)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "team/other")
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: other.Owner, Releases: adopted.Releases, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	b.wantColor(t, ns, "b")
	// Under its old name it is one that it finds, like anybody.
	if again := b.apply(t, mine); !again.Releases[0].Adopted {
		t.Errorf("adopted again %+v", again)
	}
}

// testMadeAnew has somebody else replace objects of a release.
func (b *bench) testMadeAnew(t *testing.T) {
	const ns = "made-anew"
	req := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"extra": "extra", "kept": true})
	b.apply(t, req)
	replace := func(name string) {
		t.Helper()
		configMaps := b.Client.CoreV1().ConfigMaps(ns)
		if err := configMaps.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := configMaps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	replace("extra")
	result := b.apply(t, withValues(req, valueMap{"kept": true}))
	if !b.hasConfigMap(t, ns, "extra") {
		t.Error("an upgrade deleted what somebody else made")
	}
	replace("fragile")
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if !b.hasConfigMap(t, ns, "fragile") {
		t.Error("an uninstall deleted what somebody else made")
	}
	if _, err := b.Client.CoreV1().Services(ns).Get(t.Context(), "kept", metav1.GetOptions{}); err == nil {
		t.Error("what the release made is left")
	}
	if left := b.releaseSecrets(t, ns, "fragile"); len(left) > 0 {
		t.Errorf("%d release Secrets are left", len(left))
	}
}

func (b *bench) testRemoveAdopted(t *testing.T) {
	const ns = "remove-adopted"
	b.installByHand(t, ns, "fragile", "fragile", nil)
	req := b.request(ns, "fragile", "1.0.0")
	result := b.apply(t, req)
	removal := installer.Removal{Owner: req.Owner, Releases: result.Releases, Adopted: true, Timeout: time.Minute}
	if err := b.installer.Uninstall(t.Context(), b.conn, removal); err != nil {
		t.Fatal(err)
	}
	if b.hasConfigMap(t, ns, "fragile") || len(b.releaseSecrets(t, ns, "fragile")) > 0 {
		t.Error("what should go as well is left")
	}
}

func (b *bench) testRefuseFound(t *testing.T) {
	const ns = "refuse-found"
	b.installByHand(t, ns, "fragile", "fragile", nil)
	req := b.request(ns, "fragile", "1.0.0")
	req.AutoInstall.AdoptionPolicy = v1alpha1.AdoptionPolicyRefuse
	result, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "adoptionPolicy is Refuse")
	if len(result.Releases) > 0 || len(b.releaseSecrets(t, ns, "fragile")) != 1 {
		t.Errorf("claims %+v", result.Releases)
	}

	// Objects that are there are never taken over by a release.
	req.AutoInstall.HelmConfig.ReleaseName = "second"
	if _, err := b.Client.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "second"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "ConfigMap")

	// What is its own is no hindrance.
	req.AutoInstall.HelmConfig.ReleaseName = "third"
	b.apply(t, req)
	if result := b.apply(t, withValues(req, valueMap{"color": "b"})); result.Releases[0].Adopted || result.Releases[0].Revision != 2 {
		t.Errorf("result %+v", result)
	}
}

// TestCRDPolicy has a chart with a CRD in crds/ installed and upgraded by each
// policy, where the CRD is there before and where it is not.
func TestCRDPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, test := range map[string]struct {
		policy v1alpha1.CRDPolicy
		// before is true where the CRD is there before the install.
		before bool
		// installed and upgraded are the versions that it is of after each; empty
		// where it is not there.
		installed, upgraded string
	}{
		"Create":                           {v1alpha1.CRDPolicyCreate, false, "1.0.0", "1.0.0"},
		"Create, there before":             {v1alpha1.CRDPolicyCreate, true, "0", "0"},
		"CreateReplace":                    {v1alpha1.CRDPolicyCreateReplace, false, "1.0.0", "1.1.0"},
		"CreateReplace, there before":      {v1alpha1.CRDPolicyCreateReplace, true, "1.0.0", "1.1.0"},
		"the default is to replace":        {"", true, "1.0.0", "1.1.0"},
		"Skip":                             {v1alpha1.CRDPolicySkip, false, "", ""},
		"Skip, what is there before stays": {v1alpha1.CRDPolicySkip, true, "0", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := sha256Hex([]byte(name))[:8]
			kind, plural, namespace := "P"+id, "p"+id+"s", "p"+id
			labelled := func(version string) string {
				return strings.Replace(crdOf(kind, plural), "spec:", "  labels: {of: \""+version+"\"}\nspec:", 1)
			}
			for _, version := range []string{"1.0.0", "1.1.0"} {
				b.charts.add(t, plural, version, files{"crds/c.yaml": labelled(version), "templates/c.yaml": configMap})
			}
			if test.before {
				c, _, err := parseCRD([]byte(labelled("0")))
				if err != nil {
					t.Fatal(err)
				}
				if err := restClient(b.conn).Post().AbsPath(strings.TrimSuffix(crdPath, "/")).Body(c.raw).SetHeader("Content-Type", "application/json").Do(t.Context()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			for _, step := range []struct{ version, want string }{{"1.0.0", test.installed}, {"1.1.0", test.upgraded}} {
				req := b.request(namespace, plural, step.version)
				req.AutoInstall.CRDPolicy = test.policy
				b.apply(t, req)
				found := ""
				if c, err := b.crd(t, plural+".example.com"); err == nil {
					found = c.Labels["of"]
				}
				if found != step.want {
					t.Errorf("after version %s the CRD is of %q, want %q", step.version, found, step.want)
				}
			}
		})
	}
}

// TestStoredVersions has a chart drop a version of a CRD that objects are stored
// in, in crds/ and in templates.
func TestStoredVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for place, path := range map[string]string{"directory": "crds/c.yaml", "templates": "templates/crd.yaml"} {
		t.Run(place, func(t *testing.T) {
			kind, chart := "Stored"+place, "stored-"+place
			plural := strings.ToLower(kind) + "s"
			content := files{path: crdOf(kind, plural), "templates/c.yaml": configMap}
			b.charts.add(t, chart, "1.0.0", content)
			content[path] = strings.ReplaceAll(content[path], "name: v1", "name: v2")
			content["templates/new.yaml"] = strings.ReplaceAll(configMap, "{{ .Release.Name }}", "new")
			b.charts.add(t, chart, "2.0.0", content)
			b.apply(t, b.request(chart, chart, "1.0.0"))

			b.proxy.take()
			_, err := b.installer.Apply(t.Context(), b.conn, b.request(chart, chart, "2.0.0"))
			wantReason(t, err, installer.ReasonCRDVersionInUse, true, plural+".example.com would lose v1,", "storedVersions")
			if w := writes(b.proxy.take()); len(w) > 0 {
				t.Errorf("wrote %v", w)
			}
			create := b.request(chart, chart, "2.0.0")
			create.AutoInstall.CRDPolicy = v1alpha1.CRDPolicyCreate
			if place == "directory" {
				b.apply(t, create)
			}
		})
	}
}
