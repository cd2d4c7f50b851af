// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
	"ksit.io/ksit/pkg/live"
)

type secrets map[string][]byte

func (s secrets) Get(_ context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	return &corev1.Secret{Data: s}, nil
}

// TestOfTenants asks by which connection the users of two namespaces see what is
// installed for them on a target.
func TestOfTenants(t *testing.T) {
	config := clientcmdapi.NewConfig()
	config.Clusters["one"] = &clientcmdapi.Cluster{Server: "https://one.test"}
	config.AuthInfos["one"] = &clientcmdapi.AuthInfo{Token: "token"}
	config.Contexts["one"] = &clientcmdapi.Context{Cluster: "one", AuthInfo: "one"}
	config.CurrentContext = "one"
	kubeconfig, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	target := &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "one"},
		Spec: v1alpha1.IntegrationTargetSpec{Tenancy: &v1alpha1.TargetTenancy{
			AllowedNamespaces: []string{"team-a"},
			Impersonate:       []v1alpha1.TenantIdentity{{Namespace: "team-a", User: "a"}},
		}},
	}
	set := cluster.NewSet(cluster.Options{})
	defer set.Close()
	targets := &live.Targets{Client: fake.NewClientset(target).KsitV1alpha1(), Secrets: secrets{"kubeconfig": kubeconfig}, Connections: set}
	of := func(namespace, name string) (*cluster.Connection, error) {
		i := &v1alpha1.Installation{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}, Spec: v1alpha1.InstallationSpec{Target: name}}
		if namespace != "platform" {
			i.Spec.TargetNamespace = "platform"
		}
		_, connection, err := targets.Of(t.Context(), i)
		return connection, err
	}
	base, err := of("platform", "one")
	if err != nil || base.Base() != base {
		t.Fatalf("the target's own namespace is a tenant (error %v)", err)
	}
	a, err := of("team-a", "one")
	if err != nil || a == base || a.Base() != base {
		t.Errorf("a tenant's namespace sees it with the power of the kubeconfig (error %v)", err)
	}
	if b, err := of("team-b", "one"); !apierrors.IsForbidden(err) || b != nil {
		t.Errorf("a namespace that is not admitted sees it (error %v)", err)
	}
	if _, err := of("team-a", "none"); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("of a target that is gone: %v", err)
	}
}
