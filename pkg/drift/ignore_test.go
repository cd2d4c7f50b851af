// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func TestRules(t *testing.T) {
	id := object.ObjMetadata{GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}, Namespace: "shop", Name: "web-1"}
	core := object.ObjMetadata{GroupKind: schema.GroupKind{Kind: "Service"}, Namespace: "shop", Name: "web"}
	tests := []struct {
		name    string
		rule    v1alpha1.DriftIgnore
		id      object.ObjMetadata
		matches bool
	}{
		{"an empty rule matches everything", v1alpha1.DriftIgnore{}, id, true},
		{"every field that is given counts", v1alpha1.DriftIgnore{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web-1"}, id, true},
		{"another group", v1alpha1.DriftIgnore{Group: "batch"}, id, false},
		{"another kind", v1alpha1.DriftIgnore{Kind: "StatefulSet"}, id, false},
		{"another namespace", v1alpha1.DriftIgnore{Namespace: "other"}, id, false},
		{"core is the group without a name", v1alpha1.DriftIgnore{Group: "core"}, core, true},
		{"core is no other group", v1alpha1.DriftIgnore{Group: "core"}, id, false},
		{"a star at the end", v1alpha1.DriftIgnore{Name: "web-*"}, id, true},
		{"a star in the middle", v1alpha1.DriftIgnore{Name: "w*1"}, id, true},
		{"several stars", v1alpha1.DriftIgnore{Name: "*e*-*"}, id, true},
		{"a star alone", v1alpha1.DriftIgnore{Name: "*"}, id, true},
		{"stars do not share characters", v1alpha1.DriftIgnore{Name: "web*web"}, core, false},
		{"parts in the wrong order", v1alpha1.DriftIgnore{Name: "*1*w*"}, id, false},
		{"no star is the whole name", v1alpha1.DriftIgnore{Name: "web"}, id, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := (rules{test.rule}).ignoreObject(test.id); got != test.matches {
				t.Errorf("ignores the object: %t", got)
			}
			test.rule.Paths = []string{"/spec"}
			if (rules{test.rule}).ignoreObject(test.id) {
				t.Error("a rule with paths ignores the whole object")
			}
			if got := len((rules{test.rule}).pointers(test.id)) == 1; got != test.matches {
				t.Errorf("gives its paths: %t", got)
			}
		})
	}
}

func TestPointers(t *testing.T) {
	tests := []struct {
		rule, pointer string
		covers        bool
	}{
		{"/spec/replicas", "/spec/replicas", true},
		{"/spec", "/spec/template/spec", true},
		{"/spec/rep", "/spec/replicas", false},
		{"/spec/template/spec", "/spec/template", false},
		{"/spec/containers/0/image", "/spec/containers/0/image", true},
		{"/spec/containers/1", "/spec/containers/10", false},
		{"/metadata/annotations/a~1b", below("/metadata/annotations", "a/b"), true},
		{"/metadata/annotations/a~0b", below("/metadata/annotations", "a~b"), true},
		{"/metadata/annotations/a", below("/metadata/annotations", "a/b"), false},
		{"/webhooks/*/failurePolicy", "/webhooks/0/failurePolicy", false},
		{"", "/anything", true},
	}
	for _, test := range tests {
		if got := covers(test.rule, test.pointer); got != test.covers {
			t.Errorf("%q covers %q: %t", test.rule, test.pointer, got)
		}
	}
	if !fits("/webhooks/*/failurePolicy", "/webhooks/3/failurePolicy") || fits("/webhooks/*/failurePolicy", "/webhooks/3") {
		t.Error("a star does not stand for one index")
	}
}

// TestMemoryIsBounded drops what was not used for the longest time.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(10)
	key := func(name string) memoryKey { return memoryKey{release: types.NamespacedName{Name: name}} }
	of := func(n int) *state {
		s := &state{content: "x", records: map[object.ObjMetadata]record{}}
		for i := range n {
			s.records[object.ObjMetadata{Name: string(rune('a' + i))}] = record{}
		}
		return s
	}
	m.put(key("first"), of(4))
	m.put(key("second"), of(4))
	m.get(key("first"), "x")
	m.put(key("third"), of(4))
	m.put(key("huge"), of(11))
	for name, want := range map[string]bool{"first": true, "second": false, "third": true, "huge": false} {
		if _, got := m.get(key(name), "x"); got != want {
			t.Errorf("%s is kept: %t", name, got)
		}
	}
	if _, ok := m.get(key("first"), "y"); ok {
		t.Error("a state of other content was returned")
	}
	if m.put(key("first"), of(1)); m.objects != 5 {
		t.Errorf("%d objects are counted, 5 are kept", m.objects)
	}
}
