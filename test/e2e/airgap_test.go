// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/test/bed"
)

// TestAirGap follows docs/air-gap.md: outside, what is needed is fetched with the
// commands of the guide, then the way out is closed, and KSIT installs it from a
// mirror and from a directory with the table and the flags of the guide. Only the
// names of the mirror are others. Nothing is asked of the internet, which the
// proxy there would have noted.
func TestAirGap(t *testing.T) {
	guide := readGuide(t)
	cert, ca := worldCert(t)
	internet := openInternet(t, cert)
	sh := newShell(t, internet, ca.CA, ca.CAPEM)
	mirror := startMirror(t, cert, sh.dir)
	inside := strings.NewReplacer("://mirror.internal", "://"+mirror.Listener.Addr().String(), "://registry.internal", "://"+mirror.Listener.Addr().String())

	sh.run(t, guide.commands(t, "Charts in a directory")...)
	sh.run(t, guide.commands(t, "The manifest of Flux")...)
	for _, command := range guide.commands(t, "Charts in a mirror") {
		// What the guide shows as the output is the output.
		if out := sh.run(t, inside.Replace(command)); out != "" && !strings.Contains(guide.code(t, "Charts in a mirror", "console"), out) {
			t.Errorf("%s prints\n%s", command, out)
		}
	}
	listed := sh.run(t, slices.DeleteFunc(guide.commands(t, "Images"), func(c string) bool { return strings.HasPrefix(c, "crane ") })...)
	internet.close()

	ns := namespace(t)
	target := s.bed.Targets[2]
	register(t, ns, "production-cluster-1", target.Kubeconfig)
	charts := startInside(t, guide, inside, ca, internet)
	t.Cleanup(func() { deleteAll(t, ns) })
	// As in the samples, on one cluster and in a namespace of the test.
	apply := func(name string) {
		kubectl(t, strings.NewReplacer("namespace: ksit-system", "namespace: "+ns, "    - production-cluster-2\n", "").Replace(sample(t, name+".yaml")), "apply", "-f", "-")
	}

	for _, name := range []string{"argocd", "prometheus", "flux-manifest"} {
		apply(name)
	}
	for _, name := range []string{"argocd", "prometheus", "flux"} {
		waitPhase(t, ns, name, v1alpha1.PhaseRunning)
	}
	for _, path := range []string{
		"/charts/index.yaml", "/charts/argo-cd-5.51.6.tgz", "/v2/charts/kube-prometheus-stack/manifests/55.5.0",
		"/github/fluxcd/flux2/releases/download/v2.2.3/install.yaml",
	} {
		if !mirror.wasAsked(path) {
			t.Errorf("the mirror was not asked for %s", path)
		}
	}
	absent := from(generic(ns, "absent", "argo-rollouts", "1.0.0", []string{"production-cluster-1"}, ""), "https://argoproj.github.io/argo-helm")
	kubectl(t, absent, "apply", "-f", "-")
	waitMessage(t, ns, "absent", "", "https://argoproj.github.io/argo-helm (rewritten to "+mirror.URL+"/charts)")

	// Archives can be added while KSIT runs, and then no mirror is needed.
	mirror.Close()
	for _, name := range []string{"base-1.20.2.tgz", "istiod-1.20.2.tgz"} {
		archive, err := os.ReadFile(filepath.Join(sh.dir, "charts", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(charts, name), archive, 0o600))
	}
	apply("istio")
	waitPhase(t, ns, "istio", v1alpha1.PhaseRunning)
	checkImages(t, guide, sh, target, listed)
	checkUnreachable(t, ns, mirror)
	if wanted := internet.wantedSince(); len(wanted) > 0 {
		t.Errorf("KSIT asked for %v", wanted)
	}

	// That would have been seen: what no rule names is asked for where it is.
	kubectl(t, from(generic(ns, "forgotten", "app", "1.0.0", []string{"production-cluster-1"}, ""), "https://forgotten.example.com"), "apply", "-f", "-")
	waitCondition(t, ns, "forgotten.production-cluster-1", v1alpha1.ConditionInstalled, metav1.ConditionFalse, "RepositoryUnreachable")
	if wanted := internet.wantedSince(); !slices.Equal(wanted, []string{"forgotten.example.com:443"}) {
		t.Errorf("KSIT asked for %v", wanted)
	}
}

// startInside starts the suite's KSIT anew as the guide starts it, for the time of
// the test, and returns the directory of charts, which is empty.
func startInside(t *testing.T, guide pages, inside *strings.Replacer, ca *bed.CertFiles, internet *internet) (charts string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "rewrites.yaml"), []byte(inside.Replace(guide.code(t, "The table of rewrites", "yaml"))), 0o600))
	charts = filepath.Join(dir, "charts")
	must(t, os.Mkdir(charts, 0o700))
	at := slices.IndexFunc(guide.commands(t, "Start"), func(c string) bool { return strings.HasPrefix(c, "ksit server ") })
	if at < 0 {
		t.Fatal("the guide does not start KSIT")
	}
	args := []string{"--cache-dir=" + filepath.Join(dir, "cache")}
	for _, word := range strings.Fields(guide.commands(t, "Start")[at])[2:] {
		switch {
		case word == "…":
		case strings.HasPrefix(word, "--"):
			args = append(args, word)
		default:
			args = append(args, filepath.Join(dir, word))
		}
	}
	run := s.run.With("ksit-air-gap", args, []string{"SSL_CERT_FILE=" + ca.CA, "HTTPS_PROXY=" + internet.proxy, "HTTP_PROXY=" + internet.proxy})
	must(t, s.run.Process.Stop(t.Context()))
	t.Cleanup(func() {
		if t.Failed() {
			keepLog(run.Process.LogFile())
		}
		must(t, run.Process.Stop(s.ctx))
		must(t, s.run.Start(s.ctx))
	})
	must(t, run.Start(t.Context()))
	return charts
}

// checkImages looks at what runs, with the command of the guide, and at the hooks
// that ran: all images are those of the registry inside, and those of Argo CD are
// on the list that the guide has one make.
func checkImages(t *testing.T, guide pages, sh *shell, target *bed.Cluster, listed string) {
	t.Helper()
	const internal = "registry.internal/"
	commands := guide.commands(t, "Start")
	command := strings.Replace(commands[len(commands)-1], "--context <target-cluster>", "--kubeconfig "+target.Kubeconfig, 1)
	var strange []string
	if !poll(t.Context(), eventually, func(context.Context) bool {
		strange = nil
		for _, image := range strings.Fields(sh.run(t, command)) {
			// An argument of the operator, which is the bed's own here.
			if !strings.HasPrefix(image, internal) && !strings.Contains(image, "prometheus-config-reloader") {
				strange = append(strange, image)
			}
		}
		return len(strange) == 0
	}) {
		t.Errorf("images of elsewhere run: %v", strange)
	}

	table, err := rewrite.Parse([]byte(guide.code(t, "The table of rewrites", "yaml")))
	must(t, err)
	var mirrored []string
	for _, image := range strings.Fields(listed) {
		mirrored = append(mirrored, table.Image(image))
	}
	initial := 0
	for _, namespace := range []string{"argocd", "flux-system"} {
		pods, err := clientOf(t, target).CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		must(t, err)
		if len(pods.Items) == 0 {
			t.Errorf("nothing runs in %s", namespace)
		}
		for _, pod := range pods.Items {
			initial += len(pod.Spec.InitContainers)
			for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
				if !slices.Contains(mirrored, container.Image) {
					t.Errorf("%s of pod %s is not on the list of images: %v", container.Image, pod.Name, mirrored)
				}
			}
		}
	}
	if initial == 0 {
		t.Error("there is no init container to look at")
	}
	for release, namespace := range map[string]string{"argocd": "argocd", "prometheus": "monitoring"} {
		hooks, err := helm(t, target.Kubeconfig, "get", "hooks", release, "-n", namespace)
		must(t, err)
		if !strings.Contains(hooks, "image: "+internal) || strings.Count(hooks, "image: ") != strings.Count(hooks, "image: "+internal) {
			t.Errorf("hooks of %s have images of elsewhere:\n%s", release, hooks)
		}
	}
}

// checkUnreachable has charts be asked of a mirror that is gone: the status says
// where they were looked for.
func checkUnreachable(t *testing.T, ns string, mirror *mirror) {
	t.Helper()
	address := mirror.Listener.Addr().String()
	for name, test := range map[string]struct{ repository, rewritten string }{
		"gone-http": {"https://fluxcd-community.github.io/helm-charts", "https://" + address + "/charts/index.yaml"},
		"gone-oci":  {"https://prometheus-community.github.io/helm-charts", "oci://" + address + "/charts/app"},
	} {
		kubectl(t, from(generic(ns, name, "app", "1.0.0", []string{"production-cluster-1"}, ""), test.repository), "apply", "-f", "-")
		waitMessage(t, ns, name, "", test.repository, "rewritten to "+test.rewritten)
		waitCondition(t, ns, name+".production-cluster-1", v1alpha1.ConditionInstalled, metav1.ConditionFalse, "RepositoryUnreachable")
	}
}
