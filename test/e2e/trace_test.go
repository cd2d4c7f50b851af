// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// instead runs the suite's KSIT with other arguments for the time of a test.
func instead(t *testing.T, name string, args ...string) *bed.KSIT {
	t.Helper()
	run := s.run.With(name, args, nil)
	must(t, s.run.Process.Stop(t.Context()))
	before := s.run
	s.run = run
	t.Cleanup(func() {
		if t.Failed() {
			keepLog(run.Process.LogFile())
		}
		must(t, run.Process.Stop(s.ctx))
		s.run = before
		must(t, s.run.Start(s.ctx))
	})
	must(t, run.Start(t.Context()))
	// The host may take a moment to tell kubectl of the kinds again.
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		_, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "get", "integrationtargets", "-n", system)
		return err == nil
	}) {
		t.Fatal("the host does not serve the kinds again")
	}
	return run
}

// TestTrace follows requests, by what a collector of OpenTelemetry is sent, from the
// API to what is done on the target; and searches what is said at high verbosity,
// as JSON, and all that is traced, for what is secret.
func TestTrace(t *testing.T) {
	collector := startCollector(t)
	config := filepath.Join(t.TempDir(), "tracing.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil,
		"apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\nendpoint: %s\nsamplingRatePerMillion: 1000000\n", collector.address), 0o600))
	// With nothing in its cache, so that the chart is fetched.
	run := instead(t, "ksit-traced", "--tracing-config-file="+config, "--v=6", "--logging-format=json", "--log-summary-interval=3s", "--cache-dir="+t.TempDir())
	ns := namespace(t, "one")
	secrets := plantSecrets(t, ns)
	alice := userOf(t, ns, "alice", "edit")

	kubectl(t, generic(ns, "traced", "podinfo-lite", "1.0.0", []string{"one"}, secretValue), "apply", "-f", "-")
	waitPhase(t, ns, "traced", v1alpha1.PhaseRunning)
	applySpoiled(t, ns)

	t.Run("from a request to the release", func(t *testing.T) {
		var operation *tracev1.Span
		if !poll(t.Context(), eventually, func(context.Context) bool {
			found := collector.find("operation Install", "traced")
			if len(found) == 0 {
				return false
			}
			operation = found[0]
			names, _ := collector.lineage(operation)
			return !slices.Contains(names, notSent) && len(names) > 2
		}) {
			t.Fatal("no trace of the install was sent whole")
		}
		names, top := collector.lineage(operation)
		if post := "POST /apis/ksit.io/v1alpha1/namespaces/{:namespace}/integrations"; !causedBy(names, post, "operation Install", "expand") {
			t.Fatalf("the install is below %q, want it below expand and %s", names, post)
		}
		t.Logf("the trace of the install:\n%s", collector.tree(operation))
		for _, name := range []string{"helm observe", "helm load chart", "fetch", "helm install", "helm render", "helm create", "helm wait", "target GET", "target POST", "ksit PUT"} {
			if !slices.ContainsFunc(collector.find(name, ""), func(s *tracev1.Span) bool { return collector.below(s, operation) }) {
				t.Errorf("no span %q is below the operation, in the trace %s of %s", name, traceOf(operation), top.Name)
			}
		}
		if got := strings.Join(attributesOf(operation), " "); !strings.Contains(got, "Succeeded") || !strings.Contains(got, ns) {
			t.Errorf("the operation says %s", got)
		}
	})
	t.Run("a rollback by hand", func(t *testing.T) {
		patch(t, ns, "traced", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
		waitInstallation(t, ns, "traced.one", "the upgrade", func(i *v1alpha1.Installation) bool {
			return i.Status.Phase == v1alpha1.PhaseRunning && versionOf(i) == "1.1.0"
		})
		record := rollBack(t, alice, ns, "traced.one", v1alpha1.RollbackRequestSpec{})
		waitInstallation(t, ns, "traced.one", "the rollback", func(i *v1alpha1.Installation) bool { return i.Status.LastRequest == record.Status.ID })
		const post = "POST /apis/ksit.io/v1alpha1/namespaces/{:namespace}/installations/{:name}/rollback"
		var names []string
		if !poll(t.Context(), eventually, func(context.Context) bool {
			for _, span := range collector.find("operation Rollback", "traced") {
				names, _ = collector.lineage(span)
			}
			return causedBy(names, post, "operation Rollback")
		}) {
			t.Errorf("the rollback is below %q", names)
		}
		if len(collector.find("helm rollback", "")) == 0 {
			t.Error("the step of Helm has no span")
		}
	})
	t.Run("health on demand", func(t *testing.T) {
		_, err := s.ksit.KsitV1alpha1().Installations(ns).Get(t.Context(), "traced.one", metav1.GetOptions{})
		must(t, err)
		kubectl(t, "", "get", "--raw", "/apis/ksit.io/v1alpha1/namespaces/"+ns+"/installations/traced.one/health")
		if !poll(t.Context(), eventually, func(context.Context) bool {
			return slices.ContainsFunc(collector.find("probe", ""), func(span *tracev1.Span) bool {
				names, _ := collector.lineage(span)
				return slices.Contains(names, "GET /apis/ksit.io/v1alpha1/namespaces/{:namespace}/installations/{:name}/health")
			})
		}) {
			t.Error("no span of the probe is below the request")
		}
	})
	t.Run("nothing is traced at rest", func(t *testing.T) {
		for _, span := range collector.all() {
			if len(span.ParentSpanId) == 0 && (span.Name == "probe" || span.Name == "fetch" || strings.HasPrefix(span.Name, "target ") || strings.HasPrefix(span.Name, "ksit ")) {
				t.Errorf("a span of its own: %s %v", span.Name, attributesOf(span))
			}
		}
		if !collector.services["ksit-server"] || len(collector.services) != 1 {
			t.Errorf("the spans are those of %v", collector.services)
		}
	})
	t.Run("no secret in the traces", func(t *testing.T) {
		for _, span := range collector.all() {
			said := span.String()
			for what, secret := range secrets {
				if strings.Contains(said, secret) {
					t.Errorf("the span %s shows %s", span.Name, what)
				}
			}
		}
	})
	t.Run("no secret in the log", func(t *testing.T) { wantNoSecret(t, run, secrets) })
	t.Run("the log is JSON", func(t *testing.T) {
		fleet, installed := false, 0
		for line := range strings.Lines(readKSITLog(t)) {
			var entry map[string]any
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatalf("no JSON: %s", line)
			}
			msg, _ := entry["msg"].(string)
			fleet = fleet || strings.Contains(msg, "Fleet: ")
			if entry["operation"] == "Install" && entry["integration"] == "traced" && msg == "✅ Install succeeded" {
				installed++
			}
		}
		if !fleet || installed != 1 {
			t.Errorf("a line about the fleet: %t; %d lines about the install", fleet, installed)
		}
	})
}

// causedBy tells whether a lineage begins with these spans of KSIT, and goes on, by
// those that the API server has in every request, to the request itself.
func causedBy(lineage []string, request string, spans ...string) bool {
	return len(lineage) > len(spans) && slices.Equal(lineage[:len(spans)], spans) && slices.Contains(lineage[len(spans):], request) &&
		!slices.Contains(lineage, notSent)
}

// TestTextLogKeepsSecrets searches what the text format says at high verbosity, and
// has the traces sent to nobody: nothing waits for that.
func TestTextLogKeepsSecrets(t *testing.T) {
	config := filepath.Join(t.TempDir(), "tracing.yaml")
	must(t, os.WriteFile(config, []byte("apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\nendpoint: 127.0.0.1:1\nsamplingRatePerMillion: 1000000\n"), 0o600))
	run := instead(t, "ksit-verbose", "--tracing-config-file="+config, "--v=6")
	ns := namespace(t, "one")
	secrets := plantSecrets(t, ns)
	kubectl(t, generic(ns, "kept", "podinfo-lite", "1.0.0", []string{"one"}, secretValue), "apply", "-f", "-")
	waitPhase(t, ns, "kept", v1alpha1.PhaseRunning)
	applySpoiled(t, ns)
	wantNoSecret(t, run, secrets)
	if n := strings.Count(readKSITLog(t), "Traces cannot be sent"); n > 1 {
		t.Errorf("%d lines say that the collector does not answer", n)
	}
}

const secretValue = "      valuesFrom:\n      - {kind: Secret, name: private, key: password, targetPath: database.password}\n"

// applySpoiled has an install fail over a value that is secret, and one over a
// password that is wrong.
func applySpoiled(t *testing.T, ns string) {
	t.Helper()
	kubectl(t, generic(ns, "spoiled", "podinfo-lite", "1.0.0", []string{"one"},
		"      valuesFrom:\n      - {kind: Secret, name: private, key: number, targetPath: minReadySeconds}\n"), "apply", "-f", "-")
	kubectl(t, from(generic(ns, "refused", "podinfo-lite", "1.0.0", []string{"one"}, "      caSecretRef: {name: ca}\n      secretRef: {name: wrong}\n"),
		s.bed.Charts.SecureURL+"/private/test"), "apply", "-f", "-")
	for _, name := range []string{"spoiled", "refused"} {
		waitInstallation(t, ns, name+".one", "the install to fail", func(i *v1alpha1.Installation) bool { return i.Status.Failures > 0 })
	}
}

// plantSecrets makes Secrets, and returns what must be shown nowhere, by what it is.
func plantSecrets(t *testing.T, ns string) map[string]string {
	t.Helper()
	secrets := map[string]string{"a value": "hunter2-among-values", "a number": "hunter2-as-a-number", "a password": "hunter2-as-password"}
	makeSecret(t, ns, "private", map[string]string{"password": secrets["a value"], "number": secrets["a number"]})
	makeSecret(t, ns, "ca", map[string]string{"ca.crt": string(s.bed.Charts.CA)})
	makeSecret(t, ns, "wrong", map[string]string{"username": "somebody", "password": secrets["a password"]})
	kubeconfig, err := clientcmd.LoadFromFile(s.bed.Targets[0].Kubeconfig)
	must(t, err)
	data, err := os.ReadFile(s.bed.Targets[0].Kubeconfig)
	must(t, err)
	for name, user := range kubeconfig.AuthInfos {
		if len(user.ClientKeyData) > 0 {
			lines := strings.Split(string(user.ClientKeyData), "\n")
			secrets["the key of "+name] = lines[1]
		}
		if user.Token != "" {
			secrets["the token of "+name] = user.Token
		}
	}
	for line := range strings.Lines(string(data)) {
		if _, key, found := strings.Cut(line, "client-key-data: "); found {
			secrets["the key in the kubeconfig"] = strings.TrimSpace(key)
		}
	}
	return secrets
}

func wantNoSecret(t *testing.T, run *bed.KSIT, secrets map[string]string) {
	t.Helper()
	if len(secrets) < 5 {
		t.Errorf("the kubeconfig holds no secret: %d", len(secrets))
	}
	data, err := os.ReadFile(run.Process.LogFile())
	must(t, err)
	for what, secret := range secrets {
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, secret) {
				t.Errorf("the log shows %s:\n%.500s", what, line)
				break
			}
		}
	}
}
