// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// execKubeconfig is an administrator's kubeconfig of a cluster whose credentials
// come from a program, as those of the clouds do.
func execKubeconfig(t *testing.T, p *person, cluster *bed.Cluster) []byte {
	t.Helper()
	config, err := clientcmd.LoadFromFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	p.file(t, "cloud-login", fmt.Sprintf("#!/bin/sh\ncat <<'END'\n"+
		`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientCertificateData":%q,"clientKeyData":%q}}`+
		"\nEND\n", user.ClientCertificateData, user.ClientKeyData))
	if err := os.Chmod(p.dir+"/cloud-login", 0o700); err != nil {
		t.Fatal(err)
	}
	*user = clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		Command: "./cloud-login", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
	data, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pluginManifest is an Integration whose pods never count as ready, from version
// 1.1.0 on, on targets with the label slow.
func pluginManifest(name, namespace, version string) string {
	slow := "0"
	if version != "1.0.0" {
		slow = `${int(target.labels[?"slow"].orValue("0"))}`
	}
	return fmt.Sprintf(`apiVersion: ksit.io/v1alpha1
kind: Integration
metadata:
  name: %s
  namespace: %s
spec:
  type: generic
  targetClusters: [production-cluster-1, production-cluster-2]
  autoInstall:
    enabled: true
    timeoutSeconds: 15
    remediation: {retries: 0, strategy: Leave}
    helmConfig:
      repository: %s
      chart: podinfo-lite
      version: %s
      templateValues: true
      valuesObject:
        minReadySeconds: %s
`, name, namespace, testCharts(), version, slow)
}

// TestPlugin is the story of a bad change, as somebody lives it who has nothing
// but kubectl: it is previewed, breaks one target, is seen, and undone there
// alone.
func TestPlugin(t *testing.T) {
	ns := namespace(t)
	const release = "plugin-web"
	record := newRecording(ns, "team-a", release, "web")
	admin, err := os.ReadFile(s.bed.Host.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, "host", admin, ns, record)
	one, two := s.bed.Targets[0], s.bed.Targets[1]
	first, err := os.ReadFile(one.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	p.file(t, "cluster-1.kubeconfig", string(first))
	p.file(t, "cluster-2.kubeconfig", string(execKubeconfig(t, p, two)))
	t.Cleanup(func() { forgetAccount(two) })

	record.chapter("Make two clusters targets")
	if out := p.run(t, 0, "kubectl ksit version", "Client Version", "Server Version"); strings.Contains(out, "unknown") {
		t.Error("the version of KSIT is not known at once")
	}
	p.run(t, 0, "kubectl ksit targets add production-cluster-1 --kubeconfig cluster-1.kubeconfig", "production-cluster-1 is ready")
	p.run(t, 1, "kubectl ksit targets add production-cluster-2 --kubeconfig cluster-2.kubeconfig", "from a program (exec)", "--mint-service-account")
	p.run(t, 0, "kubectl ksit targets add production-cluster-2 --kubeconfig cluster-2.kubeconfig --label slow=500 \\\n    --mint-service-account --impersonate-users jane",
		"service account ksit/ksit-production-cluster-2 created", "production-cluster-2 is ready")
	p.run(t, 0, "kubectl ksit targets -o wide", "production-cluster-1", "production-cluster-2")

	record.chapter("Install, and wait")
	p.file(t, "web.yaml", pluginManifest(release, ns, "1.0.0"))
	p.run(t, 0, "kubectl ksit apply -f web.yaml --wait", release+" on production-cluster-2: Running")
	p.run(t, 0, "kubectl ksit status", "2/2 healthy")

	record.chapter("See what a change would do, and make it")
	p.file(t, "web-1.1.yaml", pluginManifest(release, ns, "1.1.0"))
	p.run(t, 1, "kubectl ksit diff -f web-1.1.yaml", "podinfo-lite 1.0.0 -> podinfo-lite 1.1.0", "+  minReadySeconds: 500")
	p.run(t, 1, "kubectl ksit apply -f web-1.1.yaml --wait", release+" on production-cluster-2 is Failed")

	record.chapter("See what is wrong")
	p.run(t, 0, "kubectl ksit status "+release, "production-cluster-2  Failed", "Upgrade Failed")
	p.run(t, 1, "kubectl ksit health "+release+" --target production-cluster-2", "Deployment "+release+"/"+release)
	p.run(t, 0, "kubectl ksit history "+release+" --target production-cluster-2", "podinfo-lite 1.0.0", "failed")

	record.chapter("Undo it there, and nowhere else")
	p.run(t, 0, "kubectl ksit rollback "+release+" --target production-cluster-2 --to-revision 1 --wait", "requested")
	p.run(t, 0, "kubectl ksit status "+release, "held", "rolled back to revision 1")
	p.run(t, 0, "kubectl ksit logs "+release+" --target production-cluster-2 --tail 5")
	key := release + "/" + release
	if r := helmList(t, one.Kubeconfig)[key]; r.Chart != "podinfo-lite-1.1.0" || r.Status != "deployed" {
		t.Errorf("on the first target is %+v", r)
	}
	if r := helmList(t, two.Kubeconfig)[key]; r.Chart != "podinfo-lite-1.0.0" || r.Status != "deployed" {
		t.Errorf("on the second target is %+v", r)
	}
	p.run(t, 0, "kubectl ksit manifest "+release+" --target production-cluster-2 | head -n 4", "podinfo-lite 1.0.0")

	record.chapter("Look at the target itself, as a user without rights on the host")
	t.Run("passage", func(t *testing.T) { passage(t, p, ns, release, two) })

	record.chapter("Mend the cause, and go on")
	p.run(t, 0, "kubectl label integrationtarget production-cluster-2 slow-")
	p.run(t, 0, "kubectl ksit reconcile "+release+" --wait", "requested")
	p.run(t, 0, "kubectl ksit status -o wide", "1.1.0")
	if status := waitPhase(t, ns, release, v1alpha1.PhaseRunning).Status; status.Healthy != 2 {
		t.Errorf("%d of 2 are healthy", status.Healthy)
	}
	p.run(t, 0, "kubectl __complete ksit history "+release+" --target '' 2>/dev/null", "production-cluster-1")

	record.chapter("Take it all away")
	p.run(t, 0, "kubectl delete integration "+release)
	p.run(t, 0, "kubectl ksit targets remove production-cluster-1 --yes", "production-cluster-1 deleted", "secret/production-cluster-1-kubeconfig deleted")
	if !t.Failed() {
		record.save(t)
	}
}

// passage goes to a target as jane: her rights on the host let her pass, her
// rights on the target let her look at pods.
func passage(t *testing.T, p *person, ns, release string, target *bed.Cluster) {
	kubectl(t, "", "create", "rolebinding", "jane-passes", "-n", ns, "--clusterrole=ksit-target-proxy", "--user=jane")
	if out, err := tryKubectl(t.Context(), target.Kubeconfig, "", "create", "rolebinding", "jane", "-n", release, "--clusterrole=view", "--user=jane"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	kubeconfig, err := s.bed.Host.UserKubeconfig("jane")
	if err != nil {
		t.Fatal(err)
	}
	jane := newPerson(t, "jane", kubeconfig, ns, p.recording)
	jane.run(t, 1, "kubectl ksit status", "Forbidden")
	pods := jane.run(t, 0, "kubectl --kubeconfig $(kubectl ksit kubeconfig production-cluster-2) get pods -n "+release, "Running")
	if !strings.Contains(pods, release) {
		t.Errorf("no pods of the release:\n%s", pods)
	}
	jane.run(t, 1, "kubectl --kubeconfig $(kubectl ksit kubeconfig production-cluster-2) get secrets -n "+release, "Forbidden", `User "jane"`)
}

// forgetAccount takes away from a target what targets add made there.
func forgetAccount(target *bed.Cluster) {
	_, _ = tryKubectl(context.Background(), target.Kubeconfig, "", "delete", "namespace,clusterrolebindings,clusterroles",
		"-l", "app.kubernetes.io/managed-by=kubectl-ksit", "--wait=false")
}
