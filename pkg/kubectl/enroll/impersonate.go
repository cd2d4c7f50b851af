// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ImpersonatorRole is the ClusterRole on a target that lets KSIT act there as
// the users for whom it acts.
const ImpersonatorRole = "ksit-impersonator"

// AllowImpersonation makes ImpersonatorRole on a target and binds it.
func AllowImpersonation(ctx context.Context, client kubernetes.Interface, subject rbacv1.Subject, say Say) error {
	_, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: ImpersonatorRole, Labels: map[string]string{labelManagedBy: managedBy}},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"users", "groups", "serviceaccounts"}, Verbs: []string{"impersonate"}},
			{APIGroups: []string{authenticationv1.GroupName}, Resources: []string{"uids", "userextras/*"}, Verbs: []string{"impersonate"}},
		},
	}, metav1.CreateOptions{FieldManager: managedBy})
	if err := said(err, say, "ClusterRole %s", ImpersonatorRole); err != nil {
		return err
	}
	return bind(ctx, client, bindingName(ImpersonatorRole, ImpersonatorRole, subject), ImpersonatorRole, subject, say)
}

// Self is the user of the credentials of a client.
func Self(ctx context.Context, client kubernetes.Interface) (rbacv1.Subject, error) {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return rbacv1.Subject{}, fmt.Errorf("asking the target who the credentials are: %w", err)
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: review.Status.UserInfo.Username}, nil
}
