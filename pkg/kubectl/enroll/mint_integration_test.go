// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/test/env"
)

// administrator is a kubeconfig of a cluster, as a person has it.
func administrator(t *testing.T, api *env.Cluster) *clientcmdapi.Config {
	t.Helper()
	config, err := clientcmd.Load(api.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestMint makes accounts on a real API server: what they are given is what they
// can do, and who they may act as is who was named.
func TestMint(t *testing.T) {
	api := env.Start(t, env.Options{})
	config := administrator(t, api)
	restConfig, err := ClientConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(restConfig)
	var told []string
	say := func(format string, args ...any) { told = append(told, format) }

	account := Account{Namespace: "ksit", Name: "ksit-eu", ClusterRole: "cluster-admin", TokenDuration: time.Hour,
		Impersonation: Impersonation{Users: []string{"jane"}, Groups: []string{"developers"}}}
	minted, err := Mint(t.Context(), client, config, account, say)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(minted.ExpiresAt); left <= 0 || left > 2*time.Hour {
		t.Errorf("the token ends in %s", left)
	}
	data, info, err := Flatten(minted.Config, cluster.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "client-key-data") || info.ExpiresAt.IsZero() {
		t.Errorf("the credentials of the caller are stored, or the token has no end: %s", info.ExpiresAt)
	}
	report, err := Try(t.Context(), data, cluster.Options{})
	if err != nil || !report.Healthy() || report.Version == "" {
		t.Errorf("%v: %+v", err, report)
	}
	// Asked again, it is the same account with a new token, and nothing is made.
	made := len(told)
	if _, err := Mint(t.Context(), client, config, account, say); err != nil || len(told) > made+1 {
		t.Errorf("%v; told %v", err, told[made:])
	}

	viewer := account
	viewer.Name, viewer.ClusterRole = "ksit-viewer", "view"
	minted, err = Mint(t.Context(), client, config, viewer, say)
	if err != nil {
		t.Fatal(err)
	}
	if data, _, err = Flatten(minted.Config, cluster.ParseOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Try(t.Context(), data, cluster.Options{}); err == nil || !strings.Contains(err.Error(), "MissingPermissions") {
		t.Errorf("an account that may only look: %v", err)
	}
	actsAs(t, data)
}

// actsAs tries as whom an account that may only look may act.
func actsAs(t *testing.T, kubeconfig []byte) {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		user, group string
		allowed     bool
	}{
		{"jane", "developers", true}, {"jane", "", true}, {"bob", "", false}, {"jane", "system:masters", false},
	} {
		as := rest.CopyConfig(config)
		as.Impersonate.UserName = test.user
		if test.group != "" {
			as.Impersonate.Groups = []string{test.group}
		}
		self, err := Self(t.Context(), kubernetes.NewForConfigOrDie(as))
		if allowed := err == nil && self.Name == test.user; allowed != test.allowed {
			t.Errorf("it acts as %s of %q: %v (%v)", test.user, test.group, allowed, err)
		}
	}
}

// TestMintNeedsTheRightsThatItGivesAway makes sure that the plug-in is no way
// around RBAC: the cluster refuses whoever gives what they do not have.
func TestMintNeedsTheRightsThatItGivesAway(t *testing.T) {
	api := env.Start(t, env.Options{})
	admin := kubernetes.NewForConfigOrDie(api.Config)
	if _, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ksit"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := administrator(t, api)
	for _, user := range config.AuthInfos {
		user.Impersonate = "nobody"
	}
	restConfig, err := ClientConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Mint(t.Context(), kubernetes.NewForConfigOrDie(restConfig), config,
		Account{Namespace: "ksit", Name: "x", ClusterRole: "cluster-admin", TokenDuration: time.Hour}, func(string, ...any) {})
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}
