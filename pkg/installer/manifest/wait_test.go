// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/test/env"
)

const deployment = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {env.ksit.io/outcome: OUTCOME}}
    spec: {containers: [{name: web, image: "web:1"}]}
`

// deadWebhook is asked about every ConfigMap with a label, and nobody answers.
const deadWebhook = `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: dead}
webhooks:
- name: dead.example.com
  failurePolicy: Fail
  sideEffects: None
  timeoutSeconds: 1
  admissionReviewVersions: [v1]
  clientConfig: {url: "https://127.0.0.1:1/"}
  objectSelector: {matchLabels: {ask: dead}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: [configmaps]}]
`

func TestWithControllers(t *testing.T) {
	t.Parallel()
	tg := newTarget(t, env.Options{Controllers: true})
	t.Run("workloads", func(t *testing.T) {
		tg.t = t
		release, _ := tg.mustApply(request(strings.ReplaceAll(deployment, "OUTCOME", "ready")))
		stuck := request(strings.ReplaceAll(deployment, "OUTCOME", env.PodPending))
		stuck.Timeout = 3 * time.Second
		result, err := New(Options{}).Apply(t.Context(), tg.conn, stuck)
		if installer.ReasonOf(err) != installer.ReasonNotReady || installer.IsTerminal(err) || !strings.Contains(err.Error(), "Deployment apps/web") {
			t.Errorf("error %v, reason %s", err, installer.ReasonOf(err))
		}
		if len(result.Releases) != 1 || result.Releases[0].Revision != 2 {
			t.Errorf("releases %+v", result.Releases)
		}
		// Going back is an upgrade like any other.
		release, changed := tg.mustApply(request(strings.ReplaceAll(deployment, "OUTCOME", "ready")))
		if !changed || release.Revision != 3 {
			t.Errorf("changed %v, release %+v", changed, release)
		}
		// An immutable field is refused before anything is changed.
		immutable := request(configMap("new", "1") + strings.ReplaceAll(deployment, "app: web", "app: other"))
		_, err = New(Options{}).Apply(t.Context(), tg.conn, immutable)
		if installer.ReasonOf(err) != installer.ReasonManifestInvalid || !installer.IsTerminal(err) || tg.get(configMaps, "apps", "new") != nil {
			t.Errorf("error %v", err)
		}
		t.Log(err)
		tg.mustUninstall(release)
	})
	t.Run("webhook that does not answer", func(t *testing.T) {
		tg.t = t
		release, _ := tg.mustApply(request(deadWebhook + configMap("a", "1")))
		asked := "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: asked, labels: {ask: dead}}}\n"
		req := request(deadWebhook + asked)
		req.Timeout = 2 * time.Second
		start := time.Now()
		_, err := New(Options{}).Apply(t.Context(), tg.conn, req)
		if installer.ReasonOf(err) != installer.ReasonNotReady || !strings.Contains(err.Error(), "dead.example.com") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took < time.Second {
			t.Errorf("gave up after %s", took)
		}
		tg.mustUninstall(release)
	})
	t.Run("no rights", func(t *testing.T) {
		token, err := tg.env.Client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		conn := connect(t, tg.env, &clientcmdapi.AuthInfo{Token: token.Status.Token})
		_, err = New(Options{}).Apply(t.Context(), conn, request(configMap("a", "1")))
		if installer.ReasonOf(err) != installer.ReasonForbidden {
			t.Errorf("error %v, reason %s", err, installer.ReasonOf(err))
		}
	})
	t.Run("target that is down", func(t *testing.T) {
		tg.t = t
		conn := connect(t, tg.env, &clientcmdapi.AuthInfo{ClientCertificateData: tg.env.Config.CertData, ClientKeyData: tg.env.Config.KeyData})
		tg.env.StopAPI()
		defer tg.env.StartAPI()
		_, err := New(Options{}).Apply(t.Context(), conn, request(configMap("a", "1")))
		if installer.ReasonOf(err) != installer.ReasonTargetUnreachable || installer.IsTerminal(err) {
			t.Errorf("error %v, reason %s", err, installer.ReasonOf(err))
		}
		t.Log(err)
	})
}

// connect makes a connection without the proxy.
func connect(t *testing.T, c *env.Cluster, user *clientcmdapi.AuthInfo) *cluster.Connection {
	t.Helper()
	k := clientcmdapi.NewConfig()
	k.Clusters["c"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	k.AuthInfos["u"] = user
	k.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	k.CurrentContext = "x"
	data, err := clientcmd.Write(*k)
	if err != nil {
		t.Fatal(err)
	}
	set := cluster.NewSet(cluster.Options{})
	t.Cleanup(set.Close)
	conn, err := set.Connect(t.Context(), types.NamespacedName{Name: "direct"}, data)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
