// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFillFrom(t *testing.T) {
	build := &debug.BuildInfo{
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"},
			{Key: "vcs.modified", Value: "true"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
		},
		Deps: []*debug.Module{
			{Path: "k8s.io/apimachinery", Version: "v0.36.0"},
			{Path: "k8s.io/apiserver", Version: "v0.37.2"},
		},
	}
	tests := map[string]struct {
		linked, want Info
	}{
		"tool chain": {
			want: Info{GitCommit: "abc-dirty", BuildDate: "2026-01-02T03:04:05Z", Kubernetes: "v1.37.2"},
		},
		"linker wins": {
			linked: Info{GitCommit: "def", BuildDate: "today"},
			want:   Info{GitCommit: "def", BuildDate: "today", Kubernetes: "v1.37.2"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.linked
			got.fillFrom(build)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGetLeavesNothingEmpty(t *testing.T) {
	info := Get()
	for name, value := range map[string]string{
		"gitVersion": info.GitVersion, "gitCommit": info.GitCommit, "buildDate": info.BuildDate,
		"kubernetes": info.Kubernetes, "go": info.Go, "platform": info.Platform,
	} {
		if value == "" {
			t.Errorf("%s is empty", name)
		}
	}
}
