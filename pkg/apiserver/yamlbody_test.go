// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/request"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
)

func TestYAMLBodies(t *testing.T) {
	const limit = 3 << 20
	set, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	bomb := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a, ", 100_000) + "]\n"
	objects := request.RequestInfo{IsResourceRequest: true, APIGroup: "ksit.io", APIVersion: "v1alpha1", Resource: "integrationtargets"}
	proxied, elsewhere := objects, objects
	proxied.Subresource, elsewhere.Subresource = "proxy", "status"
	for name, test := range map[string]struct {
		contentType, body string
		code              int
		info              request.RequestInfo
	}{
		"YAML":                    {"application/yaml", "a: &a 1\nb: *a\n", http.StatusOK, objects},
		"a bomb":                  {"application/yaml", bomb, http.StatusRequestEntityTooLarge, objects},
		"a bomb to be applied":    {"application/apply-patch+yaml; charset=utf-8", bomb, http.StatusRequestEntityTooLarge, objects},
		"a bomb in capitals":      {"Application/YAML", bomb, http.StatusRequestEntityTooLarge, objects},
		"JSON":                    {"application/json", `{"a": 1}`, http.StatusOK, objects},
		"more than is read":       {"application/yaml", strings.Repeat("x", limit+10), http.StatusOK, objects},
		"nothing":                 {"application/yaml", "", http.StatusOK, objects},
		"what is no YAML":         {"application/yaml", "a: &a [*a", http.StatusOK, objects},
		"no content type":         {"", "a: 1", http.StatusOK, objects},
		"a bomb for a target":     {"application/yaml", bomb, http.StatusOK, proxied},
		"long for a target":       {"application/apply-patch+yaml", strings.Repeat("x", 2*limit), http.StatusOK, proxied},
		"a bomb for a status":     {"application/yaml", bomb, http.StatusRequestEntityTooLarge, elsewhere},
		"braces, and no document": {"application/yaml", "{", http.StatusOK, objects},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			handler := withBoundedYAML(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = string(body)
			}), set.Codecs, limit)
			asked := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
			asked.Header.Set("Content-Type", test.contentType)
			asked = asked.WithContext(request.WithRequestInfo(asked.Context(), &test.info))
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, asked)
			if answer.Code != test.code {
				t.Errorf("answered %d: %s", answer.Code, answer.Body)
			}
			if test.code == http.StatusOK && got != test.body {
				t.Errorf("%d bytes came through of %d", len(got), len(test.body))
			}
			if test.code != http.StatusOK {
				var status metav1.Status
				if err := json.Unmarshal(answer.Body.Bytes(), &status); err != nil || status.Kind != "Status" ||
					int(status.Code) != test.code || status.Reason != metav1.StatusReasonRequestEntityTooLarge {
					t.Errorf("it is no Status that says why: %s (%v)", answer.Body, err)
				}
			}
			if strings.Contains(answer.Body.String(), "xxx") {
				t.Error("the answer has a piece of the body")
			}
		})
	}
}
