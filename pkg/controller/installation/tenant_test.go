// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
)

// TestWorkIsTheTenants asks which connection an Installation is worked on by.
func TestWorkIsTheTenants(t *testing.T) {
	config := clientcmdapi.NewConfig()
	config.Clusters["one"] = &clientcmdapi.Cluster{Server: "https://one.test"}
	config.AuthInfos["one"] = &clientcmdapi.AuthInfo{Token: "token"}
	config.Contexts["one"] = &clientcmdapi.Context{Cluster: "one", AuthInfo: "one"}
	config.CurrentContext = "one"
	kubeconfig, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	set := cluster.NewSet(cluster.Options{})
	defer set.Close()
	c := &Controller{Connections: set}
	connect := func(o observed) *cluster.Connection {
		t.Helper()
		connection, connected, err := c.connect(o)
		if err != nil || connected != (connection != nil) {
			t.Fatalf("connected %v, error %v", connected, err)
		}
		return connection
	}
	if connect(upToDate()) != nil {
		t.Error("connected to a target that nobody connected to")
	}
	base, err := set.Connect(t.Context(), upToDate().installation.TargetKey(), kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if connect(upToDate()) != base {
		t.Error("without tenancy it is not the kubeconfig's own")
	}
	own, err := base.As(cluster.Identity{User: "ns"})
	if err != nil {
		t.Fatal(err)
	}
	if connect(upToDate(actsAs("{namespace}"))) != own {
		t.Error("it is not the tenant's")
	}
	other := upToDate(actsAs("{namespace}"), func(o *observed) { o.installation.Namespace, o.installation.Spec.TargetNamespace = "other", "ns" })
	if got := connect(other); got == own || got == base || got.Base() != base {
		t.Error("tenants share a connection")
	}
	if connect(upToDate(func(o *observed) { o.target = nil })) != nil {
		t.Error("without the target it acts as itself")
	}
}

func actsAs(user string) func(*observed) {
	return func(o *observed) {
		o.target.Spec.Tenancy = &v1alpha1.TargetTenancy{Impersonate: []v1alpha1.TenantIdentity{{Namespace: "*", User: user}}}
	}
}

// TestAnotherIdentityIsAnotherAttempt: what one may not do, another may, at once.
func TestAnotherIdentityIsAnotherAttempt(t *testing.T) {
	nobody := upToDate()
	attempts := map[string]string{}
	for name, target := range map[string]*v1alpha1.IntegrationTarget{
		"the kubeconfig's": nobody.target, "a": upToDate(actsAs("a")).target, "b": upToDate(actsAs("b")).target,
	} {
		attempts[asTenant("sha256:way", target, "ns")] = name
	}
	if len(attempts) != 3 || attempts["sha256:way"] != "the kubeconfig's" || asTenant("sha256:way", nil, "ns") != "sha256:way" {
		t.Errorf("attempts %v", attempts)
	}
	if a, b := digestOf(nobody.installation, nobody.target), digestOf(nobody.installation, upToDate(actsAs("a")).target); a != b {
		t.Error("as whom it is installed counts as what is installed")
	}
}

func TestDependencyOnTheSameTarget(t *testing.T) {
	i := upToDate().installation
	i.Spec.TargetNamespace = "platform"
	if got := v1alpha1.InstallationName("base", i.Namespace, i.TargetKey()); got != "base.platform.one" {
		t.Errorf("waits for %s", got)
	}
}
