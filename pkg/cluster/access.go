// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// needed is what installing a chart of the known types takes, at the least.
// Each needs create and patch in all namespaces.
var needed = [...]struct{ group, resource string }{
	{"", "namespaces"},
	{"", "secrets"},
	{"apps", "deployments"},
	{"apiextensions.k8s.io", "customresourcedefinitions"},
	{"rbac.authorization.k8s.io", "clusterroles"},
}

// ReasonMissingPermissions is that of credentials that may not do what installing
// needs.
const ReasonMissingPermissions = "MissingPermissions"

// access finds out whether the credentials may do what installing needs: by
// one question where they may do everything, as usual, else one by one.
func (c *Connection) access(ctx context.Context) (Finding, error) {
	all, err := c.may(ctx, "*", "*", "*")
	if err != nil {
		return Finding{}, err
	}
	if all {
		return Finding{metav1.ConditionTrue, "Allowed", "the credentials may do everything"}, nil
	}

	verbs := [...]string{"create", "patch"}
	var denied [len(needed) * len(verbs)]bool
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range needed {
		for j, verb := range verbs {
			group.Go(func() error {
				allowed, err := c.may(ctx, verb, n.group, n.resource)
				denied[i*len(verbs)+j] = !allowed
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return Finding{}, err
	}
	var missing []string
	for i, d := range denied {
		if d {
			missing = append(missing, verbs[i%len(verbs)]+" "+needed[i/len(verbs)].resource)
		}
	}
	if len(missing) > 0 {
		return Finding{metav1.ConditionFalse, ReasonMissingPermissions,
			"the credentials may not " + strings.Join(missing, ", ") + ": give their user these rights on the cluster"}, nil
	}
	return Finding{metav1.ConditionTrue, "Allowed", "the credentials may do what installing needs"}, nil
}

func (c *Connection) may(ctx context.Context, verb, group, resource string) (bool, error) {
	review, err := c.kubernetes.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}
