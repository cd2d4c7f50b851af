// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestRequester(t *testing.T) {
	anna := &user.DefaultInfo{Name: "anna", UID: "1", Groups: []string{"team-a", "system:authenticated"}}
	ben := &user.DefaultInfo{Name: "ben"}
	isAnna := &ksit.Requester{Username: "anna", UID: "1", Groups: anna.Groups}
	isBen := &ksit.Requester{Username: "ben"}
	mallory := func(i *ksit.Integration) { i.Status.TargetsRequestedBy = &ksit.Requester{Username: "mallory"} }
	for name, test := range map[string]struct {
		by     user.Info
		change func(*ksit.Integration)
		want   *ksit.Requester
	}{
		"nothing changes":        {by: ben, change: func(*ksit.Integration) {}, want: isAnna},
		"labels change":          {by: ben, change: func(i *ksit.Integration) { i.Labels = map[string]string{"a": "b"} }, want: isAnna},
		"something else changes": {by: ben, change: func(i *ksit.Integration) { i.Spec.Config = map[string]string{"namespace": "x"} }, want: isAnna},
		"somebody writes it":     {by: ben, change: mallory, want: isAnna},
		"a target more":          {by: ben, change: func(i *ksit.Integration) { i.Spec.TargetClusters = append(i.Spec.TargetClusters, "c") }, want: isBen},
		"a selector": {by: ben, want: isBen, change: func(i *ksit.Integration) {
			i.Spec.TargetSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
			mallory(i)
		}},
		"by nobody": {change: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"c"} }},
		"by one with too long a name": {by: &user.DefaultInfo{Name: strings.Repeat("a", 1025)},
			change: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"c"} }},
	} {
		t.Run(name, func(t *testing.T) {
			old := given(mallory)
			rest.FillObjectMetaSystemFields(&old.ObjectMeta)
			if err := rest.BeforeCreate(newStrategy(t), genericapirequest.WithUser(testContext(), anna), old); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(isAnna, old.Status.TargetsRequestedBy); diff != "" {
				t.Fatalf("created (-want +got)\n%s", diff)
			}
			old.ResourceVersion = "7"
			updated := old.DeepCopy()
			test.change(updated)
			ctx := testContext()
			if test.by != nil {
				ctx = genericapirequest.WithUser(ctx, test.by)
			}
			if err := rest.BeforeUpdate(newStrategy(t), ctx, updated, old); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, updated.Status.TargetsRequestedBy); diff != "" {
				t.Errorf("changed (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRequesterIsKeptFromWritersOfStatus(t *testing.T) {
	old := stored(t, func(i *ksit.Integration) { i.Status.TargetsRequestedBy = &ksit.Requester{Username: "anna"} })
	for _, by := range []*ksit.Requester{nil, {Username: "mallory", Groups: []string{"system:masters"}}} {
		updated := old.DeepCopy()
		updated.Status.TargetsRequestedBy = by
		if err := rest.BeforeUpdate(NewStatusStrategy(newStrategy(t)), testContext(), updated, old); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(old.Status, updated.Status); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestRequesterIsBounded(t *testing.T) {
	groups := slices.Repeat([]string{"g"}, 200)
	groups[3] = strings.Repeat("g", 1025)
	ctx := genericapirequest.WithUser(testContext(), &user.DefaultInfo{Name: "anna", Groups: groups})
	if by := requester(ctx); len(by.Groups) != 128 || slices.Contains(by.Groups, groups[3]) {
		t.Errorf("%d groups", len(by.Groups))
	}
}
