// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// operator follows the user's own document at a shell, its commands word for word:
// with kubectl in the PATH, and a kubeconfig of the host.
type operator struct {
	dir string
	env []string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{dir: t.TempDir()}
	for link, to := range map[string]string{"kubectl": s.bed.Tools.Kubectl, "helm": s.bed.Tools.Helm} {
		if err := os.Symlink(to, filepath.Join(o.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	o.env = []string{"PATH=" + o.dir + ":/usr/bin:/bin", "HOME=" + o.dir, "KUBECONFIG=" + s.bed.Host.Kubeconfig, "NO_PROXY=127.0.0.1,localhost"}
	return o
}

// does runs commands of the document, with its placeholders filled in, and returns
// what they print.
func (o *operator) does(t *testing.T, commands string, placeholders ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "bash", "-o", "errexit", "-c", strings.NewReplacer(placeholders...).Replace(commands))
	command.Dir, command.Env = o.dir, o.env
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}

// sees waits until commands print something.
func (o *operator) sees(t *testing.T, want, commands string, placeholders ...string) {
	t.Helper()
	var out string
	for range 600 {
		if out = squeeze(o.does(t, commands, placeholders...)); strings.Contains(out, want) {
			return
		}
		o.does(t, "sleep 0.3")
	}
	t.Fatalf("%s does not show %q:\n%s", commands, want, out)
}

const (
	briefTargets = "kubectl get integrationtarget -n ksit-system"
	briefPhases  = "kubectl get integration -n ksit-system"

	briefAddTarget = `kubectl create secret generic <cluster-name>-kubeconfig \
  --from-file=kubeconfig=<path> -n ksit-system

kubectl apply -f - <<EOF
apiVersion: ksit.io/v1alpha1
kind: IntegrationTarget
metadata:
  name: <cluster-name>
  namespace: ksit-system
spec:
  clusterName: <cluster-name>
  kubeconfigSecret: <cluster-name>-kubeconfig
EOF
`
	briefEdit      = "kubectl edit integration <name> -n ksit-system"
	briefYAML      = "kubectl get integration <name> -n ksit-system -o yaml"
	briefReconcile = "kubectl annotate integration <name> -n ksit-system reconcile=now-$(date +%s) --overwrite"

	briefTryKubeconfig  = "kubectl --kubeconfig <path> get nodes"
	briefSecret         = "kubectl get secret <cluster-name>-kubeconfig -n ksit-system -o yaml"
	briefRecreateSecret = `kubectl delete secret <cluster-name>-kubeconfig -n ksit-system
kubectl create secret generic <cluster-name>-kubeconfig \
  --from-file=kubeconfig=<path> -n ksit-system
`
)

// TestBriefOperations goes through the operational procedures of the user's own
// document, and what it says to do about trouble.
func TestBriefOperations(t *testing.T) {
	o := newOperator(t)
	const name, cluster = "argocd-of-brief", "cluster-of-brief"
	path := s.bed.Targets[2].Kubeconfig
	of := []string{"<cluster-name>", cluster, "<path>", path, "<name>", name}
	t.Cleanup(func() { deleteAll(t, system) })

	o.does(t, briefAddTarget, of...)
	o.sees(t, "NAME CLUSTER READY", briefTargets)
	o.sees(t, cluster+" "+cluster+" true", briefTargets)

	kubectl(t, strings.NewReplacer("name: argocd\n", "name: "+name+"\n", "production-cluster-1", cluster,
		"    - production-cluster-2\n", "").Replace(sample(t, "argocd.yaml")), "apply", "-f", "-")
	o.sees(t, "NAME TYPE PHASE", briefPhases)
	o.sees(t, name+" argocd Running 1/1", briefPhases)

	t.Run("update the configuration", func(t *testing.T) {
		editor := filepath.Join(o.dir, "editor")
		must(t, os.WriteFile(editor, []byte("#!/bin/sh\nsed -i 's/^      releaseName: argocd$/&\\n      values: {server.replicas: \"2\"}/' \"$1\"\n"), 0o700))
		o.env = append(o.env, "EDITOR="+editor)
		o.does(t, briefEdit, of...)
		o.sees(t, "server.replicas", briefYAML, of...)
		o.sees(t, "2", "kubectl --kubeconfig <path> get deployment argocd-server -n argocd -o jsonpath={.spec.replicas}", of...)
		o.sees(t, name+" argocd Running 1/1", briefPhases)
	})
	t.Run("force reconciliation", func(t *testing.T) {
		o.does(t, briefReconcile, of...)
		asked := o.does(t, "kubectl get integration <name> -n ksit-system -o jsonpath={.metadata.annotations.reconcile}", of...)
		o.sees(t, asked, "kubectl get integration <name> -n ksit-system -o jsonpath={.status.lastReconcileRequest}", of...)
		o.sees(t, name+" argocd Running 1/1", briefPhases)
	})
	t.Run("auto-install failed", func(t *testing.T) {
		o.does(t, `kubectl patch integration <name> -n ksit-system --type=merge -p '{"spec":{"autoInstall":{"helmConfig":{"version":"99.0.0"}}}}'`, of...)
		o.sees(t, "99.0.0", "kubectl get integration <name> -n ksit-system -o jsonpath={.status.message}", of...)
		o.sees(t, "ChartNotFound", `kubectl get installations -n ksit-system -l ksit.io/integration=<name> \
    -o custom-columns='TARGET:.spec.target,PHASE:.status.phase,REASON:.status.conditions[?(@.type=="Installed")].reason,MESSAGE:.status.message'`, of...)
		o.does(t, `kubectl patch integration <name> -n ksit-system --type=merge -p '{"spec":{"autoInstall":{"helmConfig":{"version":"5.51.6"}}}}'`, of...)
		o.sees(t, name+" argocd Running 1/1", briefPhases)
	})
	t.Run("connection failed", func(t *testing.T) {
		o.does(t, briefTryKubeconfig, of...)
		wrong := filepath.Join(o.dir, "wrong.kubeconfig")
		must(t, os.WriteFile(wrong, []byte("no kubeconfig"), 0o600))
		o.does(t, briefRecreateSecret, "<cluster-name>", cluster, "<path>", wrong)
		o.sees(t, cluster+" "+cluster+" false", briefTargets)
		o.sees(t, "kubeconfig: ", briefSecret, of...)
		o.does(t, briefRecreateSecret, of...)
		o.sees(t, cluster+" "+cluster+" true", briefTargets)
		o.sees(t, name+" argocd Running 1/1", briefPhases)
	})
	if i := waitPhase(t, system, name, v1alpha1.PhaseRunning); i.Status.Failed != 0 {
		t.Errorf("in the end there are failures: %+v", i.Status)
	}
}
