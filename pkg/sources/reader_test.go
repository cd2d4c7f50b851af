// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// store holds objects of namespace team by name. An object of the name broken
// cannot be read.
type store[T any] struct {
	kind    string
	objects map[string]*T
	reads   map[string]int
}

func (s store[T]) Get(_ context.Context, key types.NamespacedName) (*T, error) {
	s.reads[key.Name]++
	if key.Name == "broken" {
		return nil, apierrors.NewInternalError(errors.New("etcd is away"))
	}
	object, found := s.objects[key.Name]
	if !found || key.Namespace != "team" {
		return nil, apierrors.NewNotFound(corev1.Resource(s.kind), key.Name)
	}
	return object, nil
}

func reader() Reader {
	return Reader{
		ConfigMaps: store[corev1.ConfigMap]{kind: "configmaps", reads: map[string]int{}, objects: map[string]*corev1.ConfigMap{
			"shared": {Data: map[string]string{"values.yaml": "a: 1", "b": "kind: B", "a": "kind: A"}, BinaryData: map[string][]byte{"bin": []byte("text")}},
			"large":  {Data: map[string]string{"values.yaml": strings.Repeat("x", maxValues)}},
		}},
		Secrets: store[corev1.Secret]{kind: "secrets", reads: map[string]int{}, objects: map[string]*corev1.Secret{
			"private": {Data: map[string][]byte{"values.yaml": []byte("hunter2"), "password": []byte("hunter2"), "empty": nil}},
			"login":   {Data: map[string][]byte{"username": []byte("u"), "password": []byte("hunter2")}},
			"keys":    {Data: map[string][]byte{"a.gpg": []byte("A"), "b.pub": []byte("B"), "readme": []byte("C")}},
			"heavy":   {Data: map[string][]byte{"token": []byte(strings.Repeat("x", maxTrust+1))}},
		}},
	}
}

func TestValues(t *testing.T) {
	r := reader()
	got, err := r.Read(t.Context(), "team", &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{ValuesFrom: []v1alpha1.ValuesSource{
		{Kind: v1alpha1.SourceConfigMap, Name: "shared"},
		{Kind: v1alpha1.SourceConfigMap, Name: "missing", Optional: true},
		{Kind: v1alpha1.SourceSecret, Name: "private", Key: "missing", Optional: true},
		{Kind: v1alpha1.SourceSecret, Name: "private", Key: "password", TargetPath: "db.password"},
		{Kind: v1alpha1.SourceSecret, Name: "private", Key: "empty"},
		{Kind: v1alpha1.SourceConfigMap, Name: "shared", Key: "bin"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	want := installer.Sources{Values: []installer.Values{
		{Origin: "ConfigMap team/shared, key values.yaml", Content: []byte("a: 1")},
		{Origin: "Secret team/private, key password", Content: []byte("hunter2"), TargetPath: "db.password", Secret: true},
		{Origin: "Secret team/private, key empty", Secret: true},
		{Origin: "ConfigMap team/shared, key bin", Content: []byte("text")},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if reads := r.Secrets.(store[corev1.Secret]).reads["private"]; reads != 1 {
		t.Errorf("one Secret was read %d times", reads)
	}
}

func TestOnlyWhatTheMethodUses(t *testing.T) {
	install := &v1alpha1.AutoInstall{
		HelmConfig: &v1alpha1.HelmConfig{
			ValuesFrom: []v1alpha1.ValuesSource{{Kind: v1alpha1.SourceConfigMap, Name: "shared"}},
			SecretRef:  &v1alpha1.LocalReference{Name: "login"},
			Verify:     &v1alpha1.ChartVerification{Provider: v1alpha1.VerificationProvenance, SecretRef: v1alpha1.LocalReference{Name: "keys"}},
		},
		ManifestConfig: &v1alpha1.ManifestConfig{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "shared"}},
	}
	helm, err := reader().Read(t.Context(), "team", install)
	if err != nil {
		t.Fatal(err)
	}
	if len(helm.Values) != 1 || helm.Access == nil || helm.Access.Password != "hunter2" || helm.Manifests != nil {
		t.Errorf("for helm: %d values, manifests %q", len(helm.Values), helm.Manifests)
	}
	if diff := cmp.Diff(map[string][]byte{"a.gpg": []byte("A")}, helm.Keys); diff != "" {
		t.Error(diff)
	}
	install.HelmConfig.Verify.Provider = v1alpha1.VerificationCosign
	if cosign, err := reader().Read(t.Context(), "team", install); err != nil || cmp.Diff(map[string][]byte{"b.pub": []byte("B")}, cosign.Keys) != "" {
		t.Errorf("for cosign: keys %v, %v", cosign.Keys, err)
	}

	install.Method = v1alpha1.InstallMethodManifest
	manifest, err := reader().Read(t.Context(), "team", install)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(installer.Sources{Manifests: []byte("kind: A\n---\nkind: B\n---\na: 1")}, manifest); diff != "" {
		t.Error(diff)
	}
	install.ManifestConfig.ConfigMapRef.Key = "b"
	if manifest, err = reader().Read(t.Context(), "team", install); err != nil || string(manifest.Manifests) != "kind: B" {
		t.Errorf("one key: %q, %v", manifest.Manifests, err)
	}
	for _, none := range []*v1alpha1.AutoInstall{nil, {}, {Method: v1alpha1.InstallMethodManifest}} {
		if got, err := reader().Read(t.Context(), "team", none); err != nil || cmp.Diff(installer.Sources{}, got) != "" {
			t.Errorf("for %+v: %+v, %v", none, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	helm := func(config v1alpha1.HelmConfig) *v1alpha1.AutoInstall {
		return &v1alpha1.AutoInstall{HelmConfig: &config}
	}
	from := func(sources ...v1alpha1.ValuesSource) *v1alpha1.AutoInstall {
		return helm(v1alpha1.HelmConfig{ValuesFrom: sources})
	}
	manifests := func(ref v1alpha1.ConfigMapReference) *v1alpha1.AutoInstall {
		return &v1alpha1.AutoInstall{Method: v1alpha1.InstallMethodManifest, ManifestConfig: &v1alpha1.ManifestConfig{ConfigMapRef: &ref}}
	}
	signedBy := func(secret string) *v1alpha1.AutoInstall {
		return helm(v1alpha1.HelmConfig{Verify: &v1alpha1.ChartVerification{Provider: v1alpha1.VerificationProvenance, SecretRef: v1alpha1.LocalReference{Name: secret}}})
	}
	for name, test := range map[string]struct {
		install  *v1alpha1.AutoInstall
		reason   installer.Reason
		passing  bool
		contains []string
	}{
		"missing ConfigMap": {
			install: from(v1alpha1.ValuesSource{Kind: v1alpha1.SourceConfigMap, Name: "x"}),
			reason:  installer.ReasonSourceUnavailable, contains: []string{"valuesFrom[0]", "ConfigMap team/x, key values.yaml", "create it"},
		},
		"missing key of a Secret": {
			install: from(v1alpha1.ValuesSource{Kind: v1alpha1.SourceSecret, Name: "private", Key: "x"}),
			reason:  installer.ReasonSourceUnavailable, contains: []string{"Secret team/private, key x"},
		},
		"optional, but not readable": {
			install: from(v1alpha1.ValuesSource{Kind: v1alpha1.SourceSecret, Name: "broken", Optional: true}),
			reason:  installer.ReasonSourceUnavailable, passing: true, contains: []string{"reading Secret team/broken", "etcd is away"},
		},
		"unknown kind": {
			install: from(v1alpha1.ValuesSource{Kind: "Pod", Name: "x"}),
			reason:  installer.ReasonSourceUnavailable, contains: []string{`"Pod"`},
		},
		"more than 1 MiB together": {
			install: from(v1alpha1.ValuesSource{Kind: v1alpha1.SourceConfigMap, Name: "large"}, v1alpha1.ValuesSource{Kind: v1alpha1.SourceConfigMap, Name: "shared"}),
			reason:  installer.ReasonTooLarge, contains: []string{"1 MiB", "team/shared"},
		},
		"missing credentials": {
			install: helm(v1alpha1.HelmConfig{SecretRef: &v1alpha1.LocalReference{Name: "x"}}),
			reason:  installer.ReasonSourceUnavailable, contains: []string{"Secret team/x", "secretRef"},
		},
		"missing CA": {
			install: helm(v1alpha1.HelmConfig{CASecretRef: &v1alpha1.LocalReference{Name: "x"}}),
			reason:  installer.ReasonSourceUnavailable, contains: []string{"Secret team/x", "caSecretRef"},
		},
		"large credentials": {
			install: helm(v1alpha1.HelmConfig{SecretRef: &v1alpha1.LocalReference{Name: "heavy"}}),
			reason:  installer.ReasonTooLarge, contains: []string{"Secret team/heavy", "64 KiB"},
		},
		"large keys":      {install: signedBy("heavy"), reason: installer.ReasonTooLarge, contains: []string{"256 KiB"}},
		"missing keys":    {install: signedBy("x"), reason: installer.ReasonSourceUnavailable, contains: []string{"Secret team/x", "verify.secretRef"}},
		"no key for them": {install: signedBy("private"), reason: installer.ReasonSourceUnavailable, contains: []string{".gpg"}},
		"missing manifests": {
			install: manifests(v1alpha1.ConfigMapReference{Name: "x"}),
			reason:  installer.ReasonManifestUnavailable, contains: []string{"ConfigMap x in namespace team"},
		},
		"missing key of manifests": {
			install: manifests(v1alpha1.ConfigMapReference{Name: "shared", Key: "x"}),
			reason:  installer.ReasonManifestUnavailable, contains: []string{"no key x"},
		},
		"manifests that cannot be read": {
			install: manifests(v1alpha1.ConfigMapReference{Name: "broken"}),
			reason:  installer.ReasonManifestUnavailable, passing: true, contains: []string{"reading ConfigMap team/broken", "etcd is away"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := reader().Read(t.Context(), "team", test.install)
			if installer.ReasonOf(err) != test.reason || installer.IsTerminal(err) == test.passing {
				t.Fatalf("reason %s, terminal %t: %v", installer.ReasonOf(err), installer.IsTerminal(err), err)
			}
			for _, part := range test.contains {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || cmp.Diff(installer.Sources{}, got) != "" {
				t.Errorf("sources %+v, error %v", got, err)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	values := func(contents ...string) installer.Sources {
		var s installer.Sources
		for _, content := range contents {
			s.Values = append(s.Values, installer.Values{Content: []byte(content)})
		}
		return s
	}
	if got := Digest(installer.Sources{Keys: map[string][]byte{"a": nil}}); got != "" {
		t.Errorf("without manifests and values: %q", got)
	}
	base := values("ab", "c")
	same := values("ab", "c")
	same.Keys, same.Values[0].Origin = map[string][]byte{"a": nil}, "elsewhere"
	if Digest(base) != Digest(same) || !strings.HasPrefix(Digest(base), "sha256:") {
		t.Error("the digest is that of more than values and manifests")
	}
	withPath := values("ab", "c")
	withPath.Values[1].TargetPath = "x"
	seen := map[string]bool{Digest(base): true}
	for _, other := range []installer.Sources{values("a", "bc"), values("c", "ab"), values("abc"), values("ab", "c", ""), withPath, {Manifests: []byte("ab")}} {
		if digest := Digest(other); seen[digest] {
			t.Errorf("%+v has the digest of another", other)
		} else {
			seen[digest] = true
		}
	}
}
