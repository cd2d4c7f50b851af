// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/bed/chartserver"
)

// from has a manifest of generic's take its chart from elsewhere.
func from(manifest, repository string) string {
	return strings.Replace(manifest, testCharts(), repository, 1)
}

func makeSecret(t testing.TB, ns, name string, data map[string]string) {
	t.Helper()
	args := []string{"create", "secret", "generic", name, "-n", ns}
	for key, value := range data {
		args = append(args, "--from-literal="+key+"="+value)
	}
	kubectl(t, "", args...)
}

// TestPrivateSources installs from repositories and registries that nobody gets
// anything from who does not say who he is, by a CA that no system has.
func TestPrivateSources(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	charts := s.bed.Charts
	oci := strings.Replace(charts.SecureURL, "https:", "oci:", 1)
	makeSecret(t, ns, "ca", map[string]string{"ca.crt": string(charts.CA)})
	makeSecret(t, ns, "password", map[string]string{"username": bed.ChartsUsername, "password": bed.ChartsPassword})
	makeSecret(t, ns, "token", map[string]string{"token": bed.ChartsToken})
	makeSecret(t, ns, "certificate", map[string]string{"tls.crt": string(charts.ClientCert), "tls.key": string(charts.ClientKey)})
	makeSecret(t, ns, "wrong", map[string]string{"username": bed.ChartsUsername, "password": "not-the-password"})
	works := map[string]struct{ repository, secret string }{
		"basic-http":    {charts.SecureURL + "/private/test", "password"},
		"basic-oci":     {oci + "/private/test", "password"},
		"token-http":    {charts.SecureURL + "/token/test", "token"},
		"token-oci":     {oci + "/token/test", "token"},
		"exchanged-oci": {oci + "/token/test", "password"},
		"mutual-http":   {charts.SecureURL + "/mutual/test", "certificate"},
		"mutual-oci":    {oci + "/mutual/test", "certificate"},
	}
	access := func(secret string) string {
		return "      caSecretRef: {name: ca}\n      secretRef: {name: " + secret + "}\n"
	}
	for name, source := range works {
		kubectl(t, from(generic(ns, name, "podinfo-lite", "1.0.0", []string{"one"}, access(source.secret)), source.repository), "apply", "-f", "-")
	}
	kubectl(t, from(generic(ns, "refused", "podinfo-lite", "1.0.0", []string{"one"}, access("wrong")), works["basic-oci"].repository), "apply", "-f", "-")
	kubectl(t, from(generic(ns, "nobody", "podinfo-lite", "1.0.0", []string{"one"}, "      caSecretRef: {name: ca}\n"), works["basic-http"].repository), "apply", "-f", "-")
	kubectl(t, from(generic(ns, "unknown-ca", "podinfo-lite", "1.0.0", []string{"one"}, "      secretRef: {name: password}\n"), works["basic-http"].repository), "apply", "-f", "-")
	for name := range works {
		waitPhase(t, ns, name, v1alpha1.PhaseRunning)
	}
	waitMessage(t, ns, "refused", "", "does not accept the credentials")
	waitMessage(t, ns, "nobody", "", "KSIT has none for it")
	waitMessage(t, ns, "unknown-ca", "", "caSecretRef")
	all := kubectl(t, "", "get", "integrations,installations,events", "-n", ns, "-o", "yaml")
	for _, secret := range []string{bed.ChartsPassword, bed.ChartsToken, "not-the-password"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is shown by an object", secret)
		}
	}
}

// TestSignedCharts installs what is signed, and nothing that is signed by
// somebody else.
func TestSignedCharts(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	charts := s.bed.Charts
	oci := strings.Replace(charts.SecureURL, "https:", "oci:", 1)
	stranger, err := chartserver.NewSigner("stranger")
	if err != nil {
		t.Fatal(err)
	}
	makeSecret(t, ns, "ca", map[string]string{"ca.crt": string(charts.CA)})
	makeSecret(t, ns, "signers", map[string]string{"a.gpg": string(charts.Signer.KeyRing), "a.pub": string(charts.Signer.PublicKey)})
	makeSecret(t, ns, "strangers", map[string]string{"a.gpg": string(stranger.KeyRing), "a.pub": string(stranger.PublicKey)})
	verify := func(provider, secret string) string {
		return "      caSecretRef: {name: ca}\n      verify: {provider: " + provider + ", secretRef: {name: " + secret + "}}\n"
	}
	for name, source := range map[string]struct{ repository, provider string }{
		"prov-http":  {charts.SecureURL + "/test", "provenance"},
		"prov-oci":   {oci + "/test", "provenance"},
		"cosign-oci": {oci + "/test", "cosign"},
	} {
		t.Run(name, func(t *testing.T) {
			kubectl(t, from(generic(ns, name, "podinfo-lite", "1.0.0", []string{"one"}, verify(source.provider, "strangers")), source.repository), "apply", "-f", "-")
			waitMessage(t, ns, name, v1alpha1.PhaseFailed, "by a key of verify.secretRef")
			if _, ok := helmList(t, s.bed.Targets[0].Kubeconfig)[name+"/"+name]; ok {
				t.Error("it was installed though")
			}
			kubectl(t, from(generic(ns, name, "podinfo-lite", "1.0.0", []string{"one"}, verify(source.provider, "signers")), source.repository), "apply", "-f", "-")
			waitPhase(t, ns, name, v1alpha1.PhaseRunning)
		})
	}
}
