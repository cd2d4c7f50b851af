// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSnapshotEncoding(t *testing.T) {
	want := snapshot{Source: "inline", Version: "v1.2.3", Objects: []map[string]any{{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "namespace": "b"},
		"whole": int64(9007199254740993), "half": 0.5,
	}}}
	packed, err := encodeSnapshot(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeSnapshot(packed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	nameless, err := encodeSnapshot(snapshot{Objects: []map[string]any{{"apiVersion": "v1", "kind": "ConfigMap"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": packed[:len(packed)/2], "no object": nameless} {
		if _, err := decodeSnapshot(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFitting(t *testing.T) {
	half, most, over := make([]byte, maxSnapshotBytes/2), make([]byte, maxSnapshotBytes-1), make([]byte, maxSnapshotBytes+1)
	for name, test := range map[string]struct {
		current, good []byte
		want          []string
	}{
		"both fit":                  {half, half, []string{"current", "good"}},
		"only one fits: the new":    {most, half, []string{"current"}},
		"the new is too large":      {over, half, []string{"good"}},
		"each is too large":         {over, over, nil},
		"a large one stays at bulk": {half, most, []string{"current"}},
	} {
		got := fitting(map[string][]byte{"current": test.current}, map[string][]byte{"good": test.good})
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, test.want) {
			t.Errorf("%s: kept %v, want %v", name, keys, test.want)
		}
	}
}
