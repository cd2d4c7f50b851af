// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
)

func TestTargets(t *testing.T) {
	host := hosttest.New(t)
	expire := before(-24 * time.Hour)
	ready := &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "eu-1", Labels: map[string]string{"region": "eu"}, CreationTimestamp: before(2 * time.Hour)},
		Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: "eu-1", KubeconfigSecret: "s"},
		Status: v1alpha1.IntegrationTargetStatus{Ready: true, Version: "v1.37.2", Nodes: &v1alpha1.NodeCounts{Ready: 3, Total: 3}, Installations: 2,
			Endpoint: "https://10.0.0.1", LatencyMilliseconds: 12, CredentialsExpireAt: &expire},
	}
	lost := &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "us-1", CreationTimestamp: before(time.Minute)},
		Status: v1alpha1.IntegrationTargetStatus{Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReachable, Status: metav1.ConditionFalse, Message: "the API server does not answer"}}},
	}
	host.Put(t, ready, lost)
	c := newClient(t, host)
	for name, args := range map[string][]string{
		"targets": {"targets"}, "targets-wide": {"targets", "-o", "wide"}, "targets-all": {"targets", "-A", "-l", "region=eu"}, "targets-name": {"targets", "-o", "name"},
	} {
		r := c.run(args...)
		r.expect(t, 0)
		golden(t, name+".golden", r.out)
	}
	c.run("targets", "-o", "yaml").expect(t, 0, "kind: IntegrationTarget")
	newClient(t, hosttest.New(t)).run("targets").expect(t, 0, "No targets found in namespace team-a.")
}

// newTarget is a cluster that lets its users do everything.
func newTarget(t *testing.T) *hosttest.Host {
	target := hosttest.New(t)
	target.On("POST selfsubjectaccessreviews", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.JSON(w, 201, authorizationv1.SelfSubjectAccessReview{
			TypeMeta: metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: "authorization.k8s.io/v1"},
			Status:   authorizationv1.SubjectAccessReviewStatus{Allowed: true}})
	})
	return target
}

// watchesTargets says of every target that it is ready.
func watchesTargets(t *testing.T, host *hosttest.Host) {
	host.On("GET integrationtargets", func(w http.ResponseWriter, _ *http.Request, _, name string) {
		if host.Count("ksit.io", "v1alpha1", "integrationtargets") == 0 {
			hosttest.JSON(w, 404, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: 404,
				Reason: metav1.StatusReasonNotFound, Message: "not found", Details: &metav1.StatusDetails{Kind: "integrationtargets", Name: name}})
			return
		}
		u := host.Read(t, "ksit.io", "v1alpha1", "integrationtargets", "team-a", name)
		u.Object["status"] = map[string]any{"ready": true, "observedGeneration": u.GetGeneration()}
		hosttest.JSON(w, 200, u)
	})
}

func stored(t *testing.T, host *hosttest.Host, name string) string {
	u := host.Read(t, "", "v1", "secrets", "team-a", name+"-kubeconfig")
	encoded, _ := u.Object["data"].(map[string]any)["kubeconfig"].(string)
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTargetsAdd(t *testing.T) {
	host, target := hosttest.New(t), newTarget(t)
	watchesTargets(t, host)
	c := newClient(t, host)
	// Files that it refers to, relative to itself.
	kubeconfig := target.Kubeconfig(t, func(config *clientcmdapi.Config) {
		config.AuthInfos["other"] = &clientcmdapi.AuthInfo{Token: "secret of another context"}
		config.AuthInfos["me"] = &clientcmdapi.AuthInfo{TokenFile: "token"}
		config.Contexts["other"] = &clientcmdapi.Context{Cluster: "here", AuthInfo: "other"}
	})
	if err := os.WriteFile(filepath.Join(filepath.Dir(kubeconfig), "token"), []byte(hosttest.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"targets", "add", "eu-1", "--kubeconfig", kubeconfig, "--cluster-name", "europe", "--label", "region=eu", "--label", "tier=1"}

	r := c.run(append(args, "--dry-run")...)
	r.expect(t, 0, "the target answers: Kubernetes v1.37.2", "would be made (dry run)")
	r = c.run(append(args, "-o", "yaml")...)
	r.expect(t, 0, "clusterName: europe", "kind: Secret")
	if strings.Contains(r.out, hosttest.Token) {
		t.Error("the credentials are printed")
	}
	if n := host.Count("", "v1", "secrets"); n != 0 {
		t.Fatalf("%d Secrets were made", n)
	}

	r = c.run(args...)
	r.expect(t, 0, "secret/eu-1-kubeconfig created", "integrationtarget.ksit.io/eu-1 created", "integrationtarget.ksit.io/eu-1 is ready")
	if strings.Contains(r.out+r.errOut, hosttest.Token) {
		t.Error("the credentials are printed")
	}
	if text := stored(t, host, "eu-1"); !strings.Contains(text, hosttest.Token) || strings.Contains(text, "another context") || strings.Contains(text, "tokenFile") {
		t.Errorf("stored is\n%s", text)
	}
	u := host.Read(t, "ksit.io", "v1alpha1", "integrationtargets", "team-a", "eu-1")
	if u.GetLabels()["region"] != "eu" || u.GetLabels()["tier"] != "1" {
		t.Errorf("labels %v", u.GetLabels())
	}

	c.run(args...).expect(t, 1, "target team-a/eu-1 exists: --overwrite replaces its credentials")
	host.On("GET integrationtargets/health", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.JSON(w, 200, targetHealth(true))
	})
	c.run(append(args, "--overwrite")...).expect(t, 0, "secret/eu-1-kubeconfig applied", "is ready")
}

func TestTargetsAddMints(t *testing.T) {
	host, target := hosttest.New(t), newTarget(t)
	watchesTargets(t, host)
	c := newClient(t, host)
	takes(t, target, "POST serviceaccounts/token", func(name string, r *authenticationv1.TokenRequest) any {
		if name != "ksit-eu-1" || r.Spec.ExpirationSeconds == nil || *r.Spec.ExpirationSeconds != 7200 {
			t.Errorf("a token was asked for %s: %+v", name, r.Spec)
		}
		r.TypeMeta = metav1.TypeMeta{Kind: "TokenRequest", APIVersion: "authentication.k8s.io/v1"}
		r.Status = authenticationv1.TokenRequestStatus{Token: hosttest.Token, ExpirationTimestamp: metav1.NewTime(noon().Add(30 * time.Minute))}
		return r
	})
	// The caller's credentials come from a program; they are used, and stay here.
	program := filepath.Join(t.TempDir(), "credentials.sh")
	script := "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"" + hosttest.Token + "\"}}'\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	kubeconfig := target.Kubeconfig(t, func(config *clientcmdapi.Config) {
		config.AuthInfos["me"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
			Command: program, APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
	})

	refused := c.run("targets", "add", "eu-1", "--kubeconfig", kubeconfig)
	refused.expect(t, 1, "gets its credentials from a program (exec)", "--mint-service-account")

	r := c.run("targets", "add", "eu-1", "--kubeconfig", kubeconfig, "--mint-service-account", "--token-duration", "2h", "--impersonate-users", "jane,bob", "--impersonate-groups", "dev", "--cluster-role", "installer")
	r.expect(t, 0, "namespace ksit created on the target", "service account ksit/ksit-eu-1 created on the target",
		"of ClusterRole installer to ksit-eu-1 created", "ClusterRole ksit-impersonate-", "Warning: the target gives tokens for less than 2h0m0s", "is ready")
	if strings.Contains(r.out+r.errOut, hosttest.Token) {
		t.Error("the token is printed")
	}
	if text := stored(t, host, "eu-1"); strings.Contains(text, "exec") || !strings.Contains(text, "token: "+hosttest.Token) {
		t.Errorf("stored is\n%s", text)
	}
	if n := target.Count("rbac.authorization.k8s.io", "v1", "clusterrolebindings"); n != 2 {
		t.Errorf("%d bindings", n)
	}
	role := fmt.Sprint(target.Only(t, "rbac.authorization.k8s.io", "v1", "clusterroles").Object["rules"])
	if !strings.Contains(role, "resourceNames:[jane bob]") || !strings.Contains(role, "resourceNames:[dev]") {
		t.Errorf("the role that lets it act as others has the rules %s", role)
	}
}

func TestTargetsAddRefuses(t *testing.T) {
	host, target := hosttest.New(t), newTarget(t)
	c := newClient(t, host)
	good := target.Kubeconfig(t, nil)
	with := func(change func(*clientcmdapi.Config)) string { return target.Kubeconfig(t, change) }
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("\x00{{{ "+hosttest.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	for words, args := range map[string][]string{
		"must be no more than 63":        {strings.Repeat("a", 64), "--kubeconfig", good},
		"cannot be the name of a target": {"A_b", "--kubeconfig", good},
		"with --kubeconfig":              {"eu"},
		"no such file":                   {"eu", "--kubeconfig", "/does/not/exist"},
		"cannot be read as a kubeconfig": {"eu", "--kubeconfig", garbage},
		`has no context "x"`:             {"eu", "--kubeconfig", good, "--context", "x"},
		"--label":                        {"eu", "--kubeconfig", good, "--label", "a=b=c"},
		"--token-duration is 1m0s":       {"eu", "--kubeconfig", good, "--mint-service-account", "--token-duration", "1m"},
		"is no name of a ClusterRole":    {"eu", "--kubeconfig", good, "--mint-service-account", "--cluster-role", "a/b"},
		`--sa-namespace is "A"`:          {"eu", "--kubeconfig", good, "--mint-service-account", "--sa-namespace", "A"},
		`--cluster-name is "A"`:          {"eu", "--kubeconfig", good, "--cluster-name", "A"},
		"sets insecure-skip-tls-verify": {"eu", "--kubeconfig", with(func(k *clientcmdapi.Config) {
			k.Clusters["here"] = &clientcmdapi.Cluster{Server: target.URL, InsecureSkipTLSVerify: true}
		})},
		"names a proxy":                   {"eu", "--kubeconfig", with(func(k *clientcmdapi.Config) { k.Clusters["here"].ProxyURL = "http://p" })},
		"asks to act as somebody else":    {"eu", "--kubeconfig", with(func(k *clientcmdapi.Config) { k.AuthInfos["me"].Impersonate = "root" })},
		"reading the files":               {"eu", "--kubeconfig", with(func(k *clientcmdapi.Config) { k.AuthInfos["me"].ClientCertificate = "none.crt" })},
		"does not accept the credentials": {"eu", "--kubeconfig", with(func(k *clientcmdapi.Config) { k.AuthInfos["me"].Token = "wrong" })},
		"the target cannot be used":       {"eu", "--kubeconfig", with(func(k *clientcmdapi.Config) { k.Clusters["here"].Server = "https://127.0.0.1:1" })},
	} {
		r := c.run(append([]string{"targets", "add"}, args...)...)
		r.expect(t, 1, words)
		if strings.Contains(r.out+r.errOut, hosttest.Token) {
			t.Errorf("%s: the credentials are printed", words)
		}
	}
	if n := host.Count("", "v1", "secrets"); n != 0 {
		t.Errorf("%d Secrets were made", n)
	}
	if n := target.Count("", "v1", "serviceaccounts"); n != 0 {
		t.Errorf("%d service accounts were made", n)
	}
}

func TestTargetsAddTakesTheSecretAwayAgain(t *testing.T) {
	host, target := hosttest.New(t), newTarget(t)
	host.On("POST integrationtargets", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.Fail(w, 403, metav1.StatusReasonForbidden, "you may not")
	})
	newClient(t, host).run("targets", "add", "eu", "--kubeconfig", target.Kubeconfig(t, nil)).expect(t, 1, "Error from server (Forbidden): you may not")
	if n := host.Count("", "v1", "secrets"); n != 0 {
		t.Errorf("%d Secrets stay behind", n)
	}
}

func TestTargetsAddThatDoesNotBecomeReady(t *testing.T) {
	host, target := hosttest.New(t), newTarget(t)
	r := newClient(t, host).run("targets", "add", "eu", "--kubeconfig", target.Kubeconfig(t, nil), "--timeout", "700ms")
	r.expect(t, 1, "target eu is not ready after 700ms")
	// Whoever does not wait is not told.
	newClient(t, host).run("targets", "add", "us", "--kubeconfig", target.Kubeconfig(t, nil), "--wait=false").expect(t, 0)
}

func TestTargetsRemove(t *testing.T) {
	host, target := hosttest.New(t), newTarget(t)
	c := newClient(t, host)
	c.run("targets", "add", "eu", "--kubeconfig", target.Kubeconfig(t, nil), "--wait=false").expect(t, 0)
	c.stdin = "n\n"
	c.run("targets", "remove", "eu").expect(t, 1, "Delete target team-a/eu, which nothing is installed on? [y/N]", "nothing was deleted")
	c.stdin = "y\n"
	c.run("targets", "remove", "target/eu").expect(t, 0, "integrationtarget.ksit.io/eu deleted", "secret/eu-kubeconfig deleted")
	c.run("targets", "remove", "eu", "--yes").expect(t, 1, "not found")
}
