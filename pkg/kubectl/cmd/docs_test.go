// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ksit.io/ksit/test/console"
)

// TestDocument checks docs/kubectl-ksit.md against the commands: each has a
// section, with each of its flags, and no flag is made up.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../../docs/kubectl-ksit.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(data), "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	root := newSession(Streams{Out: io.Discard, ErrOut: io.Discard}).root()
	root.InitDefaultCompletionCmd()
	known := map[string]bool{"--help": true}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
	var walk func(prefix string, command *cobra.Command)
	walk = func(prefix string, command *cobra.Command) {
		title := strings.TrimSpace(prefix + " " + command.Name())
		text, found := sections[title]
		if !found {
			t.Errorf("there is no section %q", title)
		}
		command.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			known["--"+f.Name] = true
			if f.Name != "help" && !strings.Contains(text, "`--"+f.Name) && !(f.Shorthand != "" && strings.Contains(text, "`-"+f.Shorthand+"`")) && !strings.Contains(text, " --"+f.Name) {
				t.Errorf("the section %q does not name --%s", title, f.Name)
			}
		})
		for _, child := range command.Commands() {
			if command.Name() != "completion" {
				walk(title, child)
			}
		}
	}
	for _, command := range root.Commands() {
		walk("", command)
	}
	// Of KSIT itself.
	known["--allow-insecure-targets"] = true
	for _, name := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(string(data), -1) {
		if !known[name[1]] {
			t.Errorf("%s is no flag", name[1])
		}
	}
}

// TestCommandsOfDocuments checks that every command of the plug-in that a document
// has is one, with flags that it has.
func TestCommandsOfDocuments(t *testing.T) {
	lines, err := console.Read("../../..", "kubectl", "ksit")
	if err != nil || len(lines) == 0 {
		t.Fatalf("no commands in the documents (%v)", err)
	}
	for _, line := range lines {
		root := newSession(Streams{Out: io.Discard, ErrOut: io.Discard}).root()
		if err := console.Check(root, line.Words[2:]); err != nil {
			t.Errorf("%s: %s: %v", line.Document, line.Text, err)
		}
	}
}
