// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"testing"
)

func TestParseAudit(t *testing.T) {
	for name, tc := range map[string]struct {
		line   string
		want   Request
		counts bool
	}{
		"an object": {
			`{"stage":"ResponseComplete","verb":"patch","requestURI":"/apis/apps/v1/namespaces/n/deployments/d?fieldManager=ksit","user":{"username":"u"},` +
				`"objectRef":{"resource":"deployments","namespace":"n","name":"d","apiGroup":"apps","apiVersion":"v1"},"responseStatus":{"code":200}}`,
			Request{User: "u", Verb: "patch", Resource: "deployments.apps", Namespace: "n", Name: "d", Code: 200}, true,
		},
		"a subresource": {
			`{"stage":"ResponseComplete","verb":"get","requestURI":"/x","user":{"username":"u"},"objectRef":{"resource":"pods","subresource":"log"},"responseStatus":{"code":404}}`,
			Request{User: "u", Verb: "get", Resource: "pods/log", Code: 404}, true,
		},
		"a dry run": {
			`{"stage":"ResponseComplete","verb":"patch","requestURI":"/x?dryRun=All&force=true","user":{"username":"u"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
			Request{User: "u", Verb: "patch", Resource: "pods", DryRun: true, Code: 200}, true,
		},
		"a path": {
			`{"stage":"ResponseComplete","verb":"get","requestURI":"/version?timeout=10s","user":{"username":"u"},"responseStatus":{"code":200}}`,
			Request{User: "u", Verb: "get", Resource: "/version", Code: 200}, true,
		},
		"as somebody else": {
			`{"stage":"ResponseComplete","verb":"get","requestURI":"/version","user":{"username":"u"},"impersonatedUser":{"username":"v"},"responseStatus":{"code":200}}`,
			Request{User: "u", As: "v", Verb: "get", Resource: "/version", Code: 200}, true,
		},
		"a watch that begins": {
			`{"stage":"ResponseStarted","verb":"watch","user":{"username":"u"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
			Request{User: "u", Verb: "watch", Resource: "pods", Code: 200}, true,
		},
		"a watch that ends": {
			`{"stage":"ResponseComplete","verb":"watch","user":{"username":"u"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
			Request{User: "u", Verb: "watch", Resource: "pods", Code: 200}, false,
		},
		"a watch that is refused": {
			`{"stage":"ResponseComplete","verb":"watch","user":{"username":"u"},"objectRef":{"resource":"pods"},"responseStatus":{"code":403}}`,
			Request{User: "u", Verb: "watch", Resource: "pods", Code: 403}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, counts, err := parseAudit([]byte(tc.line))
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want || counts != tc.counts {
				t.Errorf("read %+v, counts %v; want %+v, %v", got, counts, tc.want, tc.counts)
			}
		})
	}
}
