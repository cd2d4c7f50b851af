// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	genericoptions "k8s.io/apiserver/pkg/server/options"

	"ksit.io/ksit/pkg/admission"
)

// TestLibraryPluginsAreOrdered fails when the library gains, loses or reorders a
// plug-in: decide then where it belongs in Order, and what RBAC it needs.
func TestLibraryPluginsAreOrdered(t *testing.T) {
	library := genericoptions.NewAdmissionOptions()
	want := []string{
		"NamespaceLifecycle",
		"MutatingAdmissionPolicy",
		"MutatingAdmissionWebhook",
		"ValidatingAdmissionPolicy",
		"ValidatingAdmissionWebhook",
	}
	if diff := cmp.Diff(want, library.RecommendedPluginOrder); diff != "" {
		t.Errorf("the order that the library recommends has changed (-known +now):\n%s", diff)
	}
	if off := sets.List(library.DefaultOffPlugins); len(off) != 0 {
		t.Errorf("the library turns %q off by default", off)
	}

	admission.Configure(library)
	want = slices.Insert(want, 4, "IntegrationOrder", "IntegrationTargetUse")
	if diff := cmp.Diff(append(want, "ResourceQuota"), library.RecommendedPluginOrder); diff != "" {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
	if errs := library.Validate(); len(errs) != 0 {
		t.Errorf("the options are invalid: %v", errs)
	}
}

type host struct {
	resources []string
	err       error
}

func (h host) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	if h.err != nil {
		return nil, h.err
	}
	list := &metav1.APIResourceList{}
	for _, name := range h.resources {
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
	}
	return list, nil
}

func TestDisableUnserved(t *testing.T) {
	webhooks := []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}
	all := append([]string{"validatingadmissionpolicies", "mutatingadmissionpolicies"}, webhooks...)
	unreachable := errors.New("connection refused")
	tests := map[string]struct {
		host    host
		enable  []string
		want    []string
		wantErr error
	}{
		"all served": {host: host{resources: all}},
		"1.35: no mutating policies": {
			host: host{resources: append([]string{"validatingadmissionpolicies"}, webhooks...)},
			want: []string{"MutatingAdmissionPolicy"},
		},
		"1.29: no policies": {
			host: host{resources: webhooks},
			want: []string{"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"},
		},
		"enabled by flag": {
			host:   host{resources: webhooks},
			enable: []string{"MutatingAdmissionPolicy"},
			want:   []string{"ValidatingAdmissionPolicy"},
		},
		"group not served": {
			host: host{err: apierrors.NewNotFound(schema.GroupResource{}, "")},
			want: []string{"MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook"},
		},
		"unreachable": {host: host{err: unreachable}, wantErr: unreachable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			options := genericoptions.NewAdmissionOptions()
			admission.Configure(options)
			options.EnablePlugins = test.enable
			got, err := admission.DisableUnserved(options, test.host)
			if !errors.Is(err, test.wantErr) {
				t.Fatalf("error %v, want %v", err, test.wantErr)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("disabled (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, options.DisablePlugins); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}
