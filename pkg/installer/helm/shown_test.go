// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestSuspect has values of an older revision shown by what is known now.
func TestSuspect(t *testing.T) {
	asked := map[string]any{
		"database": map[string]any{"password": confidential{"new-one"}, "host": "db"},
		"plain":    map[string]any{"token": "public", "other": "x"},
		"list":     []any{"a", confidential{"b"}},
	}
	stored := map[string]any{
		"database": map[string]any{"password": "old-one", "host": "older-db", "port": json.Number("5432")},
		"plain":    map[string]any{"token": "public", "secretName": "mine", "empty": map[string]any{"password": nil}},
		"list":     []any{"c", "d", "e"},
		"gone":     map[string]any{"apiKey": "abc", "nested": map[string]any{"credentials": []any{"x", map[string]any{"deep": true}}}},
	}
	want := `database:
  host: older-db
  password: <redacted>
  port: 5432
gone:
  apiKey: <redacted>
  nested:
    credentials:
    - <redacted>
    - deep: <redacted>
list:
- c
- <redacted>
- e
plain:
  empty:
    password: null
  secretName: <redacted>
  token: public
`
	if diff := cmp.Diff(want, show(suspect(stored, asked))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if shown := show(suspect(stored, nil)); strings.Contains(shown, "db") || strings.Contains(shown, "public") || !strings.Contains(shown, "host: <redacted>") {
		t.Errorf("where nothing is known, this is shown:\n%s", shown)
	}
}

func TestHider(t *testing.T) {
	hide := hider(map[string]any{"a": confidential{"hunter2-secret"}, "b": confidential{json.Number("54321")}, "c": confidential{true}, "d": "public", "e": confidential{"ab"}})
	got := hide("hunter2-secret 54321 true public aHVudGVyMi1zZWNyZXQ= ab abc")
	if want := "<redacted> <redacted> true public <redacted> <redacted> abc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := hider(nil)("x: (y)"); got != "x: (y)" {
		t.Errorf("with nothing to hide: %q", got)
	}
}

// TestDescription has Helm quote a value.
func TestDescription(t *testing.T) {
	stored := &storedRevision{}
	stored.Config = map[string]any{"password": "hunter2-secret"}
	stored.Info.Description = `Upgrade "x" failed: cannot patch "x": spec: Invalid value: "whatever": no, hunter2-secret`
	asked := map[string]any{"password": confidential{"other-secret"}}
	var r v1alpha1.ReleaseRevision
	stored.describe(&r, v1alpha1.CRDPolicyCreate, newRedactor(map[string]any{"asked": asked, "stored": suspect(stored.Config, asked)}))
	if strings.Contains(r.Description, "hunter2") || strings.Contains(r.Description, "whatever") || !strings.Contains(r.Description, "cannot patch") {
		t.Errorf("%q", r.Description)
	}
	if r.DeployedAt != nil || r.Digest == "" {
		t.Errorf("%+v", r)
	}
}
