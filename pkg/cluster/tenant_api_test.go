// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/test/env"
)

func testTenant(t *testing.T, target *env.Cluster) {
	ctx := t.Context()
	tenant, err := connect(t, target.Kubeconfig).As(cluster.Identity{User: "system:serviceaccount:default:deployer"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.MayAct(ctx); err != nil {
		t.Errorf("an administrator may not act as a tenant: %v", err)
	}
	_, err = tenant.Kubernetes().CoreV1().Secrets("default").List(ctx, metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "system:serviceaccount:default:deployer") {
		t.Errorf("the tenant has the power of the kubeconfig: %v", err)
	}
	_, err = target.Client.RbacV1().Roles("default").Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "accounts"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = target.Client.RbacV1().RoleBindings("default").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "accounts"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "accounts"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:serviceaccounts:default"}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// That the groups of a service account count, though none are asked for.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, err := tenant.Kubernetes().CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the tenant has not the rights of its group: %v", err)
		}
	}

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "nobody", Namespace: "default"}}
	if _, err := target.Client.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := target.Client.CoreV1().ServiceAccounts("default").CreateToken(ctx, "nobody", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	few, err := connect(t, withToken(t, target.Kubeconfig, token.Status.Token)).As(cluster.Identity{User: "system:serviceaccount:default:deployer"})
	if err != nil {
		t.Fatal(err)
	}
	var refused *cluster.ImpersonationError
	if err := few.MayAct(ctx); !errors.As(err, &refused) || !strings.Contains(err.Error(), `the verb impersonate on serviceaccounts "deployer" in namespace "default"`) {
		t.Errorf("error %v", err)
	}
	if few.Base().MayAct(ctx) != nil {
		t.Error("a connection may not act as itself")
	}
}
