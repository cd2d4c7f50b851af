// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/host"
)

func TestMayUse(t *testing.T) {
	for name, test := range map[string]struct {
		status authorizationv1.SubjectAccessReviewStatus
		err    error
		want   bool
	}{
		"allowed":          {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, want: true},
		"not allowed":      {},
		"a role is gone":   {status: authorizationv1.SubjectAccessReviewStatus{EvaluationError: "clusterrole x not found"}},
		"nobody could say": {err: errors.New("the host is away")},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			var asked authorizationv1.SubjectAccessReviewSpec
			client.PrependReactor("create", "subjectaccessreviews", func(action ktesting.Action) (bool, runtime.Object, error) {
				review := action.(ktesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
				asked, review.Status = review.Spec, test.status
				return true, review, test.err
			})
			who := &v1alpha1.Requester{Username: "anna", UID: "1", Groups: []string{"team-a"}}
			got, err := host.NewReader(client).Access().MayUse(t.Context(), who, types.NamespacedName{Namespace: "platform", Name: "one"})
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %v, %v", got, err)
			}
			want := authorizationv1.SubjectAccessReviewSpec{User: "anna", UID: "1", Groups: []string{"team-a"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "platform", Verb: "use", Group: "ksit.io", Version: "v1alpha1",
					Resource: "integrationtargets", Name: "one"}}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("asked (-want +got)\n%s", diff)
			}
		})
	}
}
