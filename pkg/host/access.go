// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Access asks what users may do.
func (r *Reader) Access() Access { return Access{r.client} }

// Access asks the host cluster what users may do.
type Access struct{ client kubernetes.Interface }

// MayUse tells whether somebody may use an IntegrationTarget, or, without a name,
// all of a namespace. An error is no answer.
func (a Access) MayUse(ctx context.Context, who *v1alpha1.Requester, target types.NamespacedName) (bool, error) {
	review, err := a.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Username, UID: who.UID, Groups: who.Groups,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: v1alpha1.VerbUse, Group: v1alpha1.SchemeGroupVersion.Group, Version: v1alpha1.SchemeGroupVersion.Version,
				Resource: "integrationtargets", Namespace: target.Namespace, Name: target.Name,
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether user %q may use IntegrationTarget %s: %w", who.Username, target, err)
	}
	return review.Status.Allowed, nil
}
