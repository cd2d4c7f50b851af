// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// workflow is what of a workflow is checked here.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		TimeoutMinutes int `json:"timeout-minutes"`
		Permissions    map[string]string
		Steps          []struct {
			Uses, Run string
		}
	}
}

var (
	pinned = regexp.MustCompile(`^[\w-]+/[\w-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})$`)
	target = regexp.MustCompile(`(?m)^([a-z0-9-]+):(?:[^=]|$)`)
	called = regexp.MustCompile(`(?:^|[\s;&|(])(?:make|\$\(MAKE\))((?:\s+(?:-\S+|[A-Za-z_]+=(?:"[^"]*"|'[^']*'|\S+)|[a-z0-9-]+))*)`)
	script = regexp.MustCompile(`(?:^|[\s"'])((?:hack|\.ci)/[\w./-]+)`)
)

// makeTargets are the targets of the Makefile.
func makeTargets(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, match := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		names = append(names, match[1])
	}
	return names
}

// targetsOf are the targets that a command line has make make.
func targetsOf(line string) []string {
	var names []string
	for _, match := range called.FindAllStringSubmatch(line, -1) {
		for word := range strings.FieldsSeq(match[1]) {
			if !strings.HasPrefix(word, "-") && !strings.ContainsAny(word, "=\"'$") {
				names = append(names, word)
			}
		}
	}
	return names
}

// TestWorkflows checks what is run elsewhere: that the targets and scripts exist,
// that what others wrote is taken at a fixed version, that no job can go on for
// ever, and that none has more rights than it says.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows (%v)", err)
	}
	targets, calls := makeTargets(t), 0
	for _, file := range files {
		path := ".github/workflows/" + filepath.Base(file)
		var w workflow
		if err := yaml.Unmarshal([]byte(read(t, path)), &w); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if w.Permissions == nil {
			t.Errorf("%s does not say what it may do", path)
		}
		for name, job := range w.Jobs {
			if job.TimeoutMinutes == 0 {
				t.Errorf("%s: %s has no timeout-minutes", path, name)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s: %s is not of a fixed version", path, step.Uses)
				}
				for _, target := range targetsOf(step.Run) {
					calls++
					if !slices.Contains(targets, target) {
						t.Errorf("%s: there is no make %s", path, target)
					}
				}
				for _, match := range script.FindAllStringSubmatch(step.Run, -1) {
					calls++
					if info, err := os.Stat(filepath.Join(root, match[1])); err != nil || info.Mode()&0o100 == 0 && !strings.Contains(step.Run, "bash "+match[1]) {
						t.Errorf("%s: %s cannot be run (%v)", path, match[1], err)
					}
				}
			}
		}
	}
	if calls < 4 {
		t.Errorf("found %d targets and scripts: does this test still know how they are written?", calls)
	}
}
