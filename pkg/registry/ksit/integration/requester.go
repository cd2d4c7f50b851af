// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// sameTargets tells whether two specs ask for the same targets in the same
// words.
func sameTargets(a, b *ksit.IntegrationSpec) bool {
	return slices.Equal(a.TargetClusters, b.TargetClusters) && apiequality.Semantic.DeepEqual(a.TargetSelector, b.TargetSelector)
}

// requester is the user of a request. It is nil for one without a user, or
// whose name is longer than is kept: to shorten it would make it somebody
// else's. Groups may be left out: that only takes rights away.
func requester(ctx context.Context) *ksit.Requester {
	user, known := genericapirequest.UserFrom(ctx)
	if !known || user.GetName() == "" || len(user.GetName()) > v1alpha1.MaxRequesterText || len(user.GetUID()) > v1alpha1.MaxRequesterText {
		return nil
	}
	by := &ksit.Requester{Username: user.GetName(), UID: user.GetUID()}
	for _, group := range user.GetGroups() {
		if len(by.Groups) == v1alpha1.MaxRequesterGroups {
			break
		}
		if len(group) <= v1alpha1.MaxRequesterText {
			by.Groups = append(by.Groups, group)
		}
	}
	return by
}
