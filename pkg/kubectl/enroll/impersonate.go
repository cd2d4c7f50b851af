// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Anyone stands for every user or every group.
const Anyone = "*"

// Impersonation is whom KSIT may act as on a target: for the proxy, which hands
// on what each user asks for as that user, and for tenants. Whoever may act as
// any group may do everything.
type Impersonation struct {
	Users, Groups []string
}

// Wanted tells whether there is anybody.
func (i Impersonation) Wanted() bool { return len(i.Users)+len(i.Groups) > 0 }

func (i Impersonation) rules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	add := func(resource string, names []string) {
		if len(names) == 0 {
			return
		}
		rule := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{"impersonate"}}
		if !slices.Contains(names, Anyone) {
			rule.ResourceNames = names
		}
		rules = append(rules, rule)
	}
	add("users", i.Users)
	add("groups", i.Groups)
	// A UID goes with a user, and means nothing without one.
	return append(rules, rbacv1.PolicyRule{APIGroups: []string{authenticationv1.GroupName}, Resources: []string{"uids"}, Verbs: []string{"impersonate"}})
}

// AllowImpersonation makes a ClusterRole of it on a target, and binds it.
func AllowImpersonation(ctx context.Context, client kubernetes.Interface, subject rbacv1.Subject, whom Impersonation, say Say) error {
	name := bindingName("ksit-impersonate", "", subject)
	roles := client.RbacV1().ClusterRoles()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedBy}},
		Rules:      whom.rules(),
	}
	_, err := roles.Create(ctx, role, metav1.CreateOptions{FieldManager: managedBy})
	if apierrors.IsAlreadyExists(err) {
		_, err = roles.Update(ctx, role, metav1.UpdateOptions{FieldManager: managedBy})
	}
	if err := said(err, say, "ClusterRole %s", name); err != nil {
		return err
	}
	return bind(ctx, client, name, name, subject, say)
}

// Self is the user of the credentials of a client.
func Self(ctx context.Context, client kubernetes.Interface) (rbacv1.Subject, error) {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return rbacv1.Subject{}, fmt.Errorf("asking the target who the credentials are: %w", err)
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: review.Status.UserInfo.Username}, nil
}
