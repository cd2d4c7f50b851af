// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"ksit.io/ksit/pkg/apis/ksit"
)

func as(name string) context.Context {
	return genericapirequest.WithUser(context.Background(), &user.DefaultInfo{Name: name})
}

func TestNoteRequester(t *testing.T) {
	const by = "ksit.io/reconcile-requested-by"
	annotated := func(pairs ...string) *ksit.Integration {
		i := &ksit.Integration{}
		for n := 0; n < len(pairs); n += 2 {
			metav1.SetMetaDataAnnotation(&i.ObjectMeta, pairs[n], pairs[n+1])
		}
		return i
	}
	for name, tc := range map[string]struct {
		old, object *ksit.Integration
		want        map[string]string
	}{
		"made without":            {object: annotated("a", "b"), want: map[string]string{"a": "b"}},
		"made, forged":            {object: annotated(by, "carol"), want: map[string]string{}},
		"made with":               {object: annotated("reconcile", "1", by, "carol"), want: map[string]string{"reconcile": "1", by: "alice"}},
		"asked":                   {old: annotated(), object: annotated("reconcile", "1"), want: map[string]string{"reconcile": "1", by: "alice"}},
		"asked, forged":           {old: annotated(), object: annotated("reconcile", "1", by, "carol"), want: map[string]string{"reconcile": "1", by: "alice"}},
		"asked again":             {old: annotated("reconcile", "1", by, "bob"), object: annotated("reconcile", "2", by, "bob"), want: map[string]string{"reconcile": "2", by: "alice"}},
		"other change":            {old: annotated("reconcile", "1", by, "bob"), object: annotated("reconcile", "1", by, "bob", "a", "b"), want: map[string]string{"reconcile": "1", by: "bob", "a": "b"}},
		"forged later":            {old: annotated("reconcile", "1", by, "bob"), object: annotated("reconcile", "1", by, "carol"), want: map[string]string{"reconcile": "1", by: "bob"}},
		"left out":                {old: annotated("reconcile", "1", by, "bob"), object: annotated("reconcile", "1"), want: map[string]string{"reconcile": "1", by: "bob"}},
		"taken away":              {old: annotated("reconcile", "1", by, "bob"), object: annotated(by, "bob"), want: map[string]string{}},
		"empty counts as a value": {old: annotated(), object: annotated("reconcile", ""), want: map[string]string{"reconcile": "", by: "alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			var old metav1.Object
			if tc.old != nil {
				old = tc.old
			}
			NoteRequester(as("alice"), tc.object, old)
			got := tc.object.Annotations
			if got == nil {
				got = map[string]string{}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("annotations (-want +got)\n%s", diff)
			}
		})
	}
}
