// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestYAMLBodies(t *testing.T) {
	const limit = 3 << 20
	bomb := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a, ", 100_000) + "]\n"
	for name, test := range map[string]struct {
		contentType, body string
		code              int
	}{
		"YAML":                    {"application/yaml", "a: &a 1\nb: *a\n", http.StatusOK},
		"a bomb":                  {"application/yaml", bomb, http.StatusRequestEntityTooLarge},
		"a bomb to be applied":    {"application/apply-patch+yaml; charset=utf-8", bomb, http.StatusRequestEntityTooLarge},
		"a bomb in capitals":      {"Application/YAML", bomb, http.StatusRequestEntityTooLarge},
		"JSON":                    {"application/json", `{"a": 1}`, http.StatusOK},
		"more than is read":       {"application/yaml", strings.Repeat("x", limit+10), http.StatusOK},
		"nothing":                 {"application/yaml", "", http.StatusOK},
		"what is no YAML":         {"application/yaml", "a: &a [*a", http.StatusOK},
		"no content type":         {"", "a: 1", http.StatusOK},
		"braces, and no document": {"application/yaml", "{", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			handler := withBoundedYAML(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = string(body)
			}), limit)
			request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
			request.Header.Set("Content-Type", test.contentType)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code != test.code {
				t.Errorf("answered %d: %s", answer.Code, answer.Body)
			}
			if test.code == http.StatusOK && got != test.body {
				t.Errorf("%d bytes came through of %d", len(got), len(test.body))
			}
			if strings.Contains(answer.Body.String(), "xxx") {
				t.Error("the answer has a piece of the body")
			}
		})
	}
}
