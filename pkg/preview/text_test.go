// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	if text == "" {
		return nil
	}
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestDiffText(t *testing.T) {
	hide := func(s string) string { return strings.NewReplacer("hunter2", Redacted, "hunter3", Redacted).Replace(s) }
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {kubectl.kubernetes.io/last-applied-configuration: 'hunter2'}}\n"
	for name, tc := range map[string]struct{ before, after, want string }{
		"added":   {"", "kind: A\nspec: {a: 1}", "+kind: A\n+spec:\n+  a: 1\n"},
		"removed": {"kind: A", "", "-kind: A\n"},
		"changed": {"kind: A\nspec: {a: 1, b: 2}", "kind: A\nspec: {a: 1, b: 3}", "@@ -1,4 +1,4 @@\n kind: A\n spec:\n   a: 1\n-  b: 2\n+  b: 3\n"},
		"the data of a Secret": {secret + "data: {a: eA==, b: eQ==, gone: eg==}", secret + "data: {a: eA==, b: eg==, new: eA==}",
			"@@ -1,8 +1,8 @@\n apiVersion: v1\n data:\n   a: <redacted>\n-  b: <redacted>\n-  gone: <redacted>\n+  b: <redacted, changed>\n+  new: <redacted>\n kind: Secret\n metadata:\n   annotations:\n"},
		"odd data of a Secret": {"", secret + "stringData: {a: {b: [1, true, null]}}",
			"+apiVersion: v1\n+kind: Secret\n+metadata:\n+  annotations:\n+    kubectl.kubernetes.io/last-applied-configuration: <redacted>\n+  name: a\n+stringData:\n+  a:\n+    b:\n+    - <redacted>\n+    - <redacted>\n+    - <redacted>\n"},
		"what came from a Secret": {"kind: A\nargs: [--password=hunter2, x]", "kind: A\nargs: [--password=hunter3, z]",
			"@@ -1,4 +1,4 @@\n args:\n-- --password=<redacted>\n-- x\n+- --password=<redacted, changed>\n+- z\n kind: A\n"},
		"and stands in a key": {"", "kind: A\nmap: {hunter2: 1}", "+kind: A\n+map:\n+  <redacted>: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := parse(t, tc.before), parse(t, tc.after)
			if diff := cmp.Diff(tc.want, diffText(before, after, hide)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(parse(t, tc.before), before); diff != "" {
				t.Errorf("the object was changed: %s", diff)
			}
		})
	}
}

func TestCleaned(t *testing.T) {
	live := parse(t, "kind: A\nmetadata: {name: a, uid: u, resourceVersion: '1', generation: 2, creationTimestamp: x, managedFields: [], labels: {a: b}}\nstatus: {a: b}\n")
	if diff := cmp.Diff(parse(t, "kind: A\nmetadata: {name: a, labels: {a: b}}"), cleaned(live)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestBounds has more of everything than an answer holds.
func TestBounds(t *testing.T) {
	const objects, changed = v1alpha1.MaxDiffObjects + 500, v1alpha1.MaxDiffObjects + 100
	found := make([]finding, objects)
	for n := range found {
		f := &found[n]
		f.diff.Name, f.diff.Change = fmt.Sprint(n), v1alpha1.DiffUnchanged
		if n < changed {
			f.diff.Change, f.diff.Diff = v1alpha1.DiffChanged, strings.Repeat("x", 10<<10)
			f.note = fmt.Sprintf("note %d", n)
		}
	}
	status := answer(&Plan{}, found, false)
	if status.Summary != (v1alpha1.DiffSummary{Changed: changed, Unchanged: objects - changed}) {
		t.Errorf("summary is %+v", status.Summary)
	}
	size := 0
	for _, o := range status.Objects {
		size += len(o.Diff)
	}
	if len(status.Objects) != v1alpha1.MaxDiffObjects || size > v1alpha1.MaxManifest || size < v1alpha1.MaxManifest-20<<10 || !status.Truncated {
		t.Errorf("%d objects, %d bytes, truncated %t", len(status.Objects), size, status.Truncated)
	}
	if len(status.Notes) != v1alpha1.MaxDiffNotes || status.Notes[v1alpha1.MaxDiffNotes-1] != fmt.Sprintf("and %d more", changed-v1alpha1.MaxDiffNotes+1) {
		t.Errorf("notes are %q", status.Notes)
	}
	few := answer(&Plan{Notes: []string{strings.Repeat("ä", 2000)}}, found[changed:changed+3], true)
	if len(few.Objects) != 3 || few.Truncated || len(few.Notes[0]) > maxMessage {
		t.Errorf("of three that stay: %+v", few)
	}
}
