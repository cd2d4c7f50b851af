// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestValidateReferencesOfHelm(t *testing.T) {
	from := func(sources ...ksit.ValuesSource) func(*ksit.HelmConfig) {
		return func(c *ksit.HelmConfig) { c.ValuesFrom = sources }
	}
	verify := func(repository string, provider ksit.VerificationProvider, secret string) func(*ksit.HelmConfig) {
		return func(c *ksit.HelmConfig) {
			c.Repository = repository
			c.Verify = &ksit.ChartVerification{Provider: provider, SecretRef: ksit.LocalReference{Name: secret}}
		}
	}
	const https, oci = "https://example.com/charts", "oci://example.com/charts"
	for name, test := range map[string]struct {
		mutate func(*ksit.HelmConfig)
		want   []string
	}{
		"values from both kinds": {mutate: from(
			ksit.ValuesSource{Kind: ksit.SourceConfigMap, Name: "common", Key: "values.yaml"},
			ksit.ValuesSource{Kind: ksit.SourceSecret, Name: "db.password", Key: "password", TargetPath: `db\.main.auth[0].password`, Optional: true},
		)},
		"no kind": {mutate: from(ksit.ValuesSource{Name: "a", Key: "k"}), want: []string{"c.valuesFrom[0].kind: Required value: one of ConfigMap, Secret"}},
		"another kind": {
			mutate: from(ksit.ValuesSource{Kind: "Deployment", Name: "a", Key: "k"}), want: []string{"c.valuesFrom[0].kind: Unsupported value"},
		},
		"no name": {mutate: from(ksit.ValuesSource{Kind: ksit.SourceSecret, Key: "k"}), want: []string{"c.valuesFrom[0].name: Required"}},
		"a name of another namespace": {
			mutate: from(ksit.ValuesSource{Kind: ksit.SourceSecret, Name: "b/c", Key: "k"}),
			want:   []string{"c.valuesFrom[0].name: is no name of a ConfigMap or Secret"},
		},
		"a key that cannot be": {
			mutate: from(ksit.ValuesSource{Kind: ksit.SourceSecret, Name: "a", Key: "a/b"}), want: []string{"c.valuesFrom[0].key: a valid config key"},
		},
		"a path that is none": {
			mutate: from(ksit.ValuesSource{Kind: ksit.SourceSecret, Name: "a", TargetPath: "a..b"}),
			want:   []string{"c.valuesFrom[0].targetPath: must have a name before, between and after its dots"},
		},
		"a path too long": {
			mutate: from(ksit.ValuesSource{Kind: ksit.SourceSecret, Name: "a", TargetPath: strings.Repeat("a", 1025)}),
			want:   []string{"c.valuesFrom[0].targetPath: may not be more than 1024"},
		},
		"too many": {mutate: from(make([]ksit.ValuesSource, 17)...), want: []string{"c.valuesFrom: must have at most 16 items"}},
		"access": {mutate: func(c *ksit.HelmConfig) {
			c.SecretRef, c.CASecretRef = &ksit.LocalReference{Name: "repo"}, &ksit.LocalReference{Name: "ca"}
		}},
		"access by nothing": {
			mutate: func(c *ksit.HelmConfig) {
				c.SecretRef, c.CASecretRef = &ksit.LocalReference{}, &ksit.LocalReference{Name: "A"}
			},
			want: []string{"c.secretRef.name: Required value: the name of a Secret", "c.caSecretRef.name: is no name of a Secret"},
		},
		"provenance":          {mutate: verify(https, ksit.VerificationProvenance, "keys")},
		"provenance from oci": {mutate: verify(oci, ksit.VerificationProvenance, "keys")},
		"cosign":              {mutate: verify(oci, ksit.VerificationCosign, "keys")},
		"cosign without a registry": {
			mutate: verify(https, ksit.VerificationCosign, "keys"), want: []string{"c.verify.provider: give a repository of oci://"},
		},
		"another way to sign": {mutate: verify(oci, "notation", "keys"), want: []string{"c.verify.provider: Unsupported value"}},
		"no keys":             {mutate: verify(oci, ksit.VerificationCosign, ""), want: []string{"c.verify.secretRef.name: Required"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := validHelmInstall().HelmConfig
			test.mutate(config)
			expect(t, validateHelmConfig(config, ksit.IntegrationTypeArgoCD, field.NewPath("c")), test.want...)
		})
	}
}

func TestValidateReferencesOfManifests(t *testing.T) {
	ref := &ksit.LocalReference{Name: "repo"}
	for name, test := range map[string]struct {
		config ksit.ManifestConfig
		want   []string
	}{
		"with a url": {config: ksit.ManifestConfig{URL: "https://example.com/x.yaml", SecretRef: ref, CASecretRef: ref}},
		"without": {
			config: ksit.ManifestConfig{ConfigMapRef: &ksit.ConfigMapReference{Name: "m"}, SecretRef: ref, CASecretRef: ref},
			want:   []string{"c.secretRef: Forbidden: only the server of url is given credentials", "c.caSecretRef: Forbidden: only the server of url is verified"},
		},
		"to nothing": {
			config: ksit.ManifestConfig{URL: "https://example.com/x.yaml", SecretRef: &ksit.LocalReference{}},
			want:   []string{"c.secretRef.name: Required"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, validateManifestConfig(&test.config, field.NewPath("c")), test.want...)
		})
	}
}
