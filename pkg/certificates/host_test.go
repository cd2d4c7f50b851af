// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestNotForUs(t *testing.T) {
	service := map[string]any{"name": "ksit-apiserver", "namespace": "ksit-system"}
	for name, test := range map[string]struct {
		spec map[string]any
		want string // part of the reason; empty when it is for us
	}{
		"ours":             {map[string]any{"service": service}, ""},
		"of another":       {map[string]any{"service": map[string]any{"name": "other", "namespace": "ksit-system"}}, "other.ksit-system.svc"},
		"of nobody":        {map[string]any{}, "no Service"},
		"not verified":     {map[string]any{"service": service, "insecureSkipTLSVerify": true}, "insecureSkipTLSVerify"},
		"verified anyway":  {map[string]any{"service": service, "insecureSkipTLSVerify": false}, ""},
		"of another place": {map[string]any{"service": map[string]any{"name": "ksit-apiserver", "namespace": "other"}}, "ksit-apiserver.other.svc"},
	} {
		got := notForUs(&unstructured.Unstructured{Object: map[string]any{"spec": test.spec}}, testOptions().Names)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: the reason is %q, want %q", name, got, test.want)
		}
	}
}
