// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestValidateAutoInstall(t *testing.T) {
	path := field.NewPath("auto")
	for name, test := range map[string]struct {
		integrationType ksit.IntegrationType
		install         func() *ksit.AutoInstall
		mutate          func(*ksit.AutoInstall)
		want            []string
	}{
		"helm":     {install: validHelmInstall},
		"manifest": {install: validManifestInstall},
		"unknown method": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.Method = "kustomize" },
			want:    []string{`auto.method: Unsupported value: "kustomize": supported values: "helm", "manifest"`},
		},
		"unknown policies": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.CRDPolicy, a.DeletionPolicy = "Replace", "Keep" },
			want:    []string{"auto.crdPolicy: Unsupported", "auto.deletionPolicy: Unsupported"},
		},
		"timeout too short": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.TimeoutSeconds = ptr(int32(9)) },
			want:    []string{"auto.timeoutSeconds: must be between 10 and 7200"},
		},
		"timeout too long": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.TimeoutSeconds = ptr(int32(7201)) },
			want:    []string{"auto.timeoutSeconds: must be between 10 and 7200"},
		},
		"timeout at its bounds": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.TimeoutSeconds = ptr(int32(7200)) },
		},
		"helm with manifests": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.ManifestConfig = &ksit.ManifestConfig{URL: "https://example.com/x"} },
			want:    []string{"auto.manifestConfig: Forbidden: must not be given while method is helm"},
		},
		"manifest with helm": {
			install: validManifestInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig = validHelmInstall().HelmConfig },
			want:    []string{"auto.helmConfig: Forbidden: must not be given while method is manifest"},
		},
		"generic with nothing": {
			integrationType: ksit.IntegrationTypeGeneric,
			install:         validHelmInstall,
			mutate:          func(a *ksit.AutoInstall) { a.HelmConfig = nil },
			want: []string{
				"auto.helmConfig.repository: Required", "auto.helmConfig.chart: Required",
				"auto.helmConfig.version: Required", "auto.helmConfig.releaseName: Required",
			},
		},
		"generic with nothing, not to be installed": {
			integrationType: ksit.IntegrationTypeGeneric,
			install:         validHelmInstall,
			mutate:          func(a *ksit.AutoInstall) { a.Enabled, a.HelmConfig = false, nil },
		},
		"no version of a chart that the type does not know": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.Chart, a.HelmConfig.Version = "argo-events", "" },
			want:    []string{"auto.helmConfig.version: type argocd knows no version of this chart"},
		},
		"manifest with nothing": {
			install: validManifestInstall,
			mutate:  func(a *ksit.AutoInstall) { a.ManifestConfig = nil },
			want:    []string{"auto.manifestConfig: Required value: type argocd has no manifests of its own"},
		},
		"chart with a path": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.Chart = "../argo-cd" },
			want:    []string{"auto.helmConfig.chart: the name of a chart starts with"},
		},
		"chart too long": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.Chart = strings.Repeat("c", 251) },
			want:    []string{"auto.helmConfig.chart: may not be more than 250"},
		},
		"release name at its bound": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.ReleaseName = strings.Repeat("r", 53) },
		},
		"release name too long": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.ReleaseName = strings.Repeat("r", 54) },
			want:    []string{"auto.helmConfig.releaseName: Helm takes at most 53 characters"},
		},
		"release name with dots": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.ReleaseName = "argo.cd" },
		},
		"release name in upper case": {
			install: validHelmInstall,
			mutate:  func(a *ksit.AutoInstall) { a.HelmConfig.ReleaseName = "ArgoCD" },
			want:    []string{"auto.helmConfig.releaseName: is no name of a Helm release"},
		},
		"release name of what comes before": {
			integrationType: ksit.IntegrationTypeIstio,
			install:         validHelmInstall,
			mutate: func(a *ksit.AutoInstall) {
				a.HelmConfig.Chart, a.HelmConfig.ReleaseName = "istiod", "istio-base"
			},
			want: []string{"auto.helmConfig.releaseName: is the name of the release of chart base"},
		},
		"no source": {
			install: validManifestInstall,
			mutate:  func(a *ksit.AutoInstall) { a.ManifestConfig = &ksit.ManifestConfig{} },
			want:    []string{"auto.manifestConfig: Required value: give one of url, configMapRef and manifests"},
		},
		"two sources": {
			install: validManifestInstall,
			mutate:  func(a *ksit.AutoInstall) { a.ManifestConfig.ConfigMapRef = &ksit.ConfigMapReference{Name: "m"} },
			want:    []string{"auto.manifestConfig: Forbidden: only one source may be given, and there are 2: [url configMapRef]"},
		},
		"a config map": {
			install: validManifestInstall,
			mutate: func(a *ksit.AutoInstall) {
				a.ManifestConfig = &ksit.ManifestConfig{ConfigMapRef: &ksit.ConfigMapReference{Name: "my.manifests", Key: "all.yaml"}}
			},
		},
		"a bad config map": {
			install: validManifestInstall,
			mutate: func(a *ksit.AutoInstall) {
				a.ManifestConfig = &ksit.ManifestConfig{ConfigMapRef: &ksit.ConfigMapReference{Name: "My Manifests", Key: "a/x"}}
			},
			want: []string{"auto.manifestConfig.configMapRef.name: is no name of a ConfigMap", "auto.manifestConfig.configMapRef.key: a valid config key"},
		},
		"a config map without a name": {
			install: validManifestInstall,
			mutate: func(a *ksit.AutoInstall) {
				a.ManifestConfig = &ksit.ManifestConfig{ConfigMapRef: &ksit.ConfigMapReference{}}
			},
			want: []string{"auto.manifestConfig.configMapRef.name: Required"},
		},
		"a digest": {
			install: validManifestInstall,
			mutate:  func(a *ksit.AutoInstall) { a.ManifestConfig.Digest = "sha256:" + strings.Repeat("0a", 32) },
		},
		"a bad digest": {
			install: validManifestInstall,
			mutate:  func(a *ksit.AutoInstall) { a.ManifestConfig.Digest = "sha256:" + strings.Repeat("0A", 32) },
			want:    []string{"auto.manifestConfig.digest: must be sha256: and 64 hexadecimal digits in lower case"},
		},
		"a digest of nothing": {
			install: validManifestInstall,
			mutate: func(a *ksit.AutoInstall) {
				a.ManifestConfig = &ksit.ManifestConfig{
					ConfigMapRef: &ksit.ConfigMapReference{Name: "m"}, Digest: "sha256:" + strings.Repeat("0a", 32),
				}
			},
			want: []string{"auto.manifestConfig.digest: Forbidden: only what is fetched from url has a digest"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			install := test.install()
			if test.mutate != nil {
				test.mutate(install)
			}
			integrationType := test.integrationType
			if integrationType == "" {
				integrationType = ksit.IntegrationTypeArgoCD
			}
			expect(t, validateAutoInstall(install, integrationType, path), test.want...)
		})
	}
}

func TestValidateURL(t *testing.T) {
	for text, want := range map[string][]string{
		"https://argoproj.github.io/argo-helm":             nil,
		"http://127.0.0.1:8080/charts/":                    nil,
		"https://[::1]:8443/charts":                        nil,
		"https://example.com/charts?project=1":             nil,
		"oci://ghcr.io/fluxcd-community/charts":            nil,
		"oci://registry:5000":                              nil,
		"oci://ghcr.io/a__b/c-d.e/":                        nil,
		"":                                                 {"u: with scheme", "u: must name a host"},
		"argo-helm":                                        {"u: with scheme http or https or oci", "u: must name a host"},
		"ftp://example.com":                                {"u: with scheme"},
		"file:///etc/passwd":                               {"u: with scheme", "u: must name a host"},
		"https:///charts":                                  {"u: must name a host"},
		"https://:8080/charts":                             {"u: must name a host"},
		"https://example.com:0/":                           {"u: must have a port"},
		"https://example.com:65536/":                       {"u: must have a port"},
		"https://example.com:x/":                           {"u: must be a URL"},
		"https://exa mple.com/":                            {"u: must be a URL"},
		"https://example.com/\x00":                         {"u: must be a URL"},
		"https://user:secret@example.com/charts":           {"u: Forbidden: must not hold a user name or password"},
		"https://secret@example.com/charts":                {"u: Forbidden: must not hold a user name or password"},
		"https://example.com/charts#secret":                {"u: must not have a fragment"},
		"oci://ghcr.io/charts?secret=1":                    {"u: must not have a query"},
		"oci://ghcr.io/charts#secret":                      {"u: must not have a fragment"},
		"oci://ghcr.io/Charts":                             {"u: the path of an OCI repository"},
		"oci://ghcr.io/charts/app:secret":                  {"u: the path of an OCI repository"},
		"oci://ghcr.io/../charts":                          {"u: the path of an OCI repository"},
		"https://example.com/" + strings.Repeat("x", 2048): {"u: may not be more than 2048"},
	} {
		t.Run(text[:min(len(text), 60)], func(t *testing.T) {
			errs := validateURL(text, field.NewPath("u"), "http", "https", "oci")
			expect(t, errs, want...)
			// The tag is no secret.
			if all := errs.ToAggregate(); all != nil && strings.Contains(all.Error(), "secret") && !strings.Contains(text, ":secret") {
				t.Errorf("the message repeats a secret: %v", all)
			}
		})
	}
}

func TestURLErrorsHideCredentials(t *testing.T) {
	for _, text := range []string{
		"https://user:hunter2@example.com", "https://user:hunter2@example.com:x/", "ftp://user:hunter2@example.com#x",
		"https://example.com/?token=hunter2#", "oci://example.com/X?token=hunter2", "https://user:hunter2@exa mple.com", "user:hunter2@example.com",
	} {
		if all := validateURL(text, field.NewPath("u"), "https", "oci").ToAggregate(); all != nil && strings.Contains(all.Error(), "hunter2") {
			t.Errorf("%s: the message repeats the password: %v", text, all)
		}
	}
}

func TestValidateVersion(t *testing.T) {
	for version, valid := range map[string]bool{
		"5.51.6": true, "v1.2.3": true, "1.20": true, "1.2.3-rc.1+build": true, "~5.51": true, "^1": true, ">=1.2 <2": true,
		"1.x": true, "*": true, "1.2 - 2.3": true, "1.2 || 3": true,
		"latest": false, "stable": false, "5.51.6; rm": false, " ": false, "1..2": false, ">=": false, strings.Repeat("1", 129): false,
	} {
		if errs := validateVersion(version, field.NewPath("v")); (len(errs) == 0) != valid {
			t.Errorf("%q: got %v, want valid %t", version, errs, valid)
		}
	}
}
