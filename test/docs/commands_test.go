// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/test/console"
)

func lines(t *testing.T, words ...string) []console.Line {
	t.Helper()
	found, err := console.Read(root, words...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestMakeTargets checks that what documents have make make can be made. The
// commands of ksit and of the plug-in are checked where these are, in pkg.
func TestMakeTargets(t *testing.T) {
	targets, found := makeTargets(t), lines(t, "make")
	if len(found) == 0 {
		t.Error("no document uses make: does this test still know how commands are written?")
	}
	for _, line := range found {
		for _, target := range targetsOf(strings.Join(line.Words, " ")) {
			if !slices.Contains(targets, target) {
				t.Errorf("%s: there is no make %s", line.Document, target)
			}
		}
	}
}

// TestChartValues checks the keys that documents set in KSIT's own chart.
func TestChartValues(t *testing.T) {
	for _, line := range lines(t, "helm") {
		if !slices.ContainsFunc(line.Words, func(word string) bool { return strings.HasSuffix(strings.TrimSuffix(word, "/"), "/ksit") }) {
			continue
		}
		var values map[string]any
		if err := yaml.Unmarshal([]byte(read(t, "artifacts/charts/ksit/values.yaml")), &values); err != nil {
			t.Fatal(err)
		}
		for n, word := range line.Words {
			flag, setting, inOne := strings.Cut(word, "=")
			if !slices.Contains([]string{"--set", "--set-string", "--set-file", "--set-json"}, flag) {
				continue
			}
			if !inOne && n+1 < len(line.Words) {
				setting = line.Words[n+1]
			}
			for _, one := range strings.Split(setting, ",") {
				if key, _, assigned := strings.Cut(one, "="); assigned && !hasValue(values, strings.Split(key, ".")) {
					t.Errorf("%s: the chart has no value %s", line.Document, key)
				}
			}
		}
	}
}

// hasValue tells whether a chart has a key. Below a map that is empty, or nothing,
// may stand what the user likes.
func hasValue(values map[string]any, keys []string) bool {
	name, _, isList := strings.Cut(keys[0], "[")
	value, there := values[name]
	if !there || len(keys) == 1 || isList || value == nil {
		return there
	}
	below, isMap := value.(map[string]any)
	return isMap && (len(below) == 0 || hasValue(below, keys[1:]))
}
