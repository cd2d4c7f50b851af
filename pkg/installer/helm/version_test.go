// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"
)

func TestVersionRange(t *testing.T) {
	versions := []string{"1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "v0.9.0", "not-a-version", "1.2.0+build2", "3.0.0-alpha"}
	for want, picked := range map[string]string{
		"":             "1.10.0",
		"*":            "1.10.0",
		"1.0.0":        "1.0.0",
		"v1.0.0":       "1.0.0",
		"0.9.0":        "v0.9.0",
		"v0.9.0":       "v0.9.0",
		" 1.0.0 ":      "1.0.0",
		"~1":           "1.10.0",
		"~1.2":         "1.2.0+build2",
		"1.2.x":        "1.2.0+build2",
		"1.2.0":        "1.2.0",
		"1.2.0+build2": "1.2.0+build2",
		"1.2.0+other":  "",
		"^1.1":         "1.10.0",
		">=1.0 <1.10":  "1.2.0+build2",
		"2.0.0-rc.1":   "2.0.0-rc.1",
		"~2":           "",
		">=2.0.0-0":    "3.0.0-alpha",
		"4":            "",
	} {
		r, err := parseRange(want)
		if err != nil {
			t.Errorf("%q: %v", want, err)
			continue
		}
		got, ok := r.pick(versions)
		if got != picked || ok != (picked != "") {
			t.Errorf("%q picks %q, want %q", want, got, picked)
		}
		if ok && !r.admits(got) {
			t.Errorf("%q picks %q and does not admit it", want, got)
		}
	}
	for _, bad := range []string{"latest", "1.2.3.4", ">>1", "~"} {
		if _, err := parseRange(bad); err == nil {
			t.Errorf("%q is taken for a range", bad)
		}
	}
}

func TestExact(t *testing.T) {
	for text, want := range map[string]bool{"1.2.3": true, "v1.2.3": true, "1.2.3-rc1+b": true, "1.2": false, "~1.2.3": false, "": false, "1.2.x": false} {
		r, err := parseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := r.exact(); got != want {
			t.Errorf("exact(%q) = %t", text, got)
		}
	}
}

func TestSuggestions(t *testing.T) {
	if got := newest([]string{"1.0.0", "7.0.0", "3.0.0", "2.0.0", "5.0.0", "6.0.0", "bad"}); got != "the newest are 7.0.0, 6.0.0, 5.0.0, 3.0.0, 2.0.0" {
		t.Error(got)
	}
	if got := near("argocd", []string{"argo-cd", "argo-rollouts", "argocd-apps", "nginx"}); got != "argo-cd, argocd-apps" {
		t.Error(got)
	}
	if got := near(strings.Repeat("x", 1000), []string{"nginx"}); got != "" {
		t.Error(got)
	}
}
