// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integrationorder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/warning"
	ktesting "k8s.io/client-go/testing"

	"ksit.io/ksit/pkg/admission/integrationorder"
	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
)

// stored are Integrations by name, with what they depend on.
type stored map[string]string

func (s stored) client() *fake.Clientset {
	client := fake.NewClientset()
	for name, before := range s {
		integration := &v1alpha1.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
		for _, d := range strings.Fields(before) {
			integration.Spec.DependsOn = append(integration.Spec.DependsOn, v1alpha1.IntegrationDependency{Name: d})
		}
		if err := client.Tracker().Add(integration); err != nil {
			panic(err)
		}
	}
	return client
}

func integration(name, before string) *ksit.Integration {
	i := &ksit.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	for _, d := range strings.Fields(before) {
		i.Spec.DependsOn = append(i.Spec.DependsOn, ksit.IntegrationDependency{Name: d})
	}
	return i
}

// request is what the API server asks a plug-in. Its old object is nil where
// an object is created.
func request(object, old *ksit.Integration, subresource string) admission.Attributes {
	operation, before := admission.Update, runtime.Object(old)
	if old == nil {
		operation, before = admission.Create, nil
	}
	return admission.NewAttributesRecord(object, before, ksit.Kind("Integration").WithVersion("v1alpha1"), "ns", object.Name,
		ksit.Resource("integrations").WithVersion("v1alpha1"), subresource, operation, nil, false, nil)
}

// recorder collects warnings.
type recorder struct{ texts []string }

func (r *recorder) AddWarning(_, text string) { r.texts = append(r.texts, text) }

func TestOrder(t *testing.T) {
	chain := stored{}
	for n := range 300 {
		chain[fmt.Sprintf("c%d", n)] = fmt.Sprintf("c%d", n+1)
	}
	for name, test := range map[string]struct {
		stored      stored
		object, old *ksit.Integration
		subresource string
		// refused are words of the error; empty where the request passes.
		refused  string
		warnings []string
		reads    int
	}{
		"nothing comes first": {object: integration("a", "")},
		"a chain":             {stored: stored{"b": "c", "c": ""}, object: integration("a", "b"), reads: 2},
		"a cycle of two": {stored: stored{"b": "a"}, object: integration("a", "b"),
			refused: `Integration.ksit.io "a" is invalid: spec.dependsOn: Invalid value: none of them could ever start, because each waits for the next: a → b → a: drop one`, reads: 1},
		"a cycle of three, by a change": {stored: stored{"a": "", "b": "c", "c": "a"}, object: integration("a", "b"), old: integration("a", ""),
			refused: "a → b → c → a", reads: 2},
		"a cycle that is there already can be left": {stored: stored{"a": "b", "b": "a"}, object: integration("a", ""), old: integration("a", "b")},
		"what does not change is not looked at":     {stored: stored{"a": "b", "b": "a"}, object: integration("a", "b"), old: integration("a", "b")},
		"a status is not looked at":                 {stored: stored{"b": "a"}, object: integration("a", "b"), old: integration("a", ""), subresource: "status"},
		"what does not exist is warned of": {stored: stored{"b": "d"}, object: integration("a", "b c"), reads: 3,
			warnings: []string{"spec.dependsOn: there is no Integration c yet: this one waits for it"}},
		"a chain without end": {stored: chain, object: integration("a", "c0"), refused: "more than 256 Integrations come before it", reads: 256},
	} {
		t.Run(name, func(t *testing.T) {
			client := test.stored.client()
			plugin := integrationorder.New()
			plugin.SetIntegrations(client.KsitV1alpha1())
			warned := &recorder{}
			err := plugin.Validate(warning.WithWarningRecorder(t.Context(), warned), request(test.object, test.old, test.subresource), nil)
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("error %v\nwant  %s", err, test.refused)
			}
			if !slices.Equal(warned.texts, test.warnings) {
				t.Errorf("warnings %q, want %q", warned.texts, test.warnings)
			}
			if reads := len(client.Actions()); reads != test.reads {
				t.Errorf("%d reads, want %d", reads, test.reads)
			}
		})
	}
}

func TestUnreadableOrderIsNoVerdict(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("get", "integrations", func(ktesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("etcd is away")
	})
	plugin := integrationorder.New()
	plugin.SetIntegrations(client.KsitV1alpha1())
	err := plugin.Validate(context.Background(), request(integration("a", "b"), nil, ""), nil)
	if !apierrors.IsServiceUnavailable(err) {
		t.Errorf("error %v", err)
	}
}

func TestPluginNeedsAClient(t *testing.T) {
	if err := integrationorder.New().ValidateInitialization(); err == nil {
		t.Error("a plug-in without a client is ready")
	}
}
