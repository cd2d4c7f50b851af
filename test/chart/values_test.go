// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var key = regexp.MustCompile(`^( *)([A-Za-z]+):`)

// TestEveryValueIsExplained asks for a comment in front of every value: of its own,
// or of the group that it is in the first of or stands next to the first of.
func TestEveryValueIsExplained(t *testing.T) {
	lines := strings.Split(readFile(t, "values.yaml"), "\n")
	explained := false
	for n, line := range lines {
		match := key.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "#"):
			explained = true
		case strings.TrimSpace(line) == "":
			explained = false
		case match != nil:
			if !explained {
				t.Errorf("values.yaml:%d: %s has no comment", n+1, match[2])
			}
		}
	}
}

// TestSchemaIsComplete makes sure that the schema knows the values that there are,
// and no others.
func TestSchemaIsComplete(t *testing.T) {
	var values map[string]any
	if err := yaml.Unmarshal([]byte(readFile(t, "values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(readFile(t, "values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	compare(t, "", values, schema)
}

// compare compares values with the properties of their schema, as deep as those go.
// Maps that are the user's own have none.
func compare(t *testing.T, path string, values, schema map[string]any) {
	t.Helper()
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s: other values are not refused", path)
	}
	// What has no default: Helm's own, and what is empty until somebody sets it.
	optional := []string{".global", ".audit.policy.omitStages", ".audit.policy.omitManagedFields", ".audit.policy.rules"}
	for name, property := range properties {
		at := path + "." + name
		value, there := values[name]
		if !there && !slices.Contains(optional, at) {
			t.Errorf("%s is in the schema, and not in values.yaml", at)
		}
		below, isMap := value.(map[string]any)
		if sub, ok := property.(map[string]any); ok && isMap {
			compare(t, at, below, sub)
		}
	}
	for name := range values {
		if _, there := properties[name]; !there {
			t.Errorf("%s.%s is in values.yaml, and not in the schema", path, name)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(path + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
