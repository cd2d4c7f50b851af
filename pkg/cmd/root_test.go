// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ksit.io/ksit/pkg/version"
)

// TestFlags pins the flags of every command: a flag that goes away or gets
// another default breaks somebody's manifest. UPDATE_GOLDEN=1 writes anew.
func TestFlags(t *testing.T) {
	testFlags(t, NewCommand().Commands())
}

func testFlags(t *testing.T, commands []*cobra.Command) {
	t.Helper()
	for _, command := range commands {
		if command.Name() == "version" || command.Hidden {
			continue
		}
		if command.HasSubCommands() {
			testFlags(t, command.Commands())
			continue
		}
		name := strings.ReplaceAll(strings.TrimPrefix(command.CommandPath(), "ksit "), " ", "-")
		t.Run(name, func(t *testing.T) {
			var lines []string
			command.Flags().VisitAll(func(flag *pflag.Flag) {
				if flag.Usage == "" {
					t.Errorf("--%s is not documented", flag.Name)
				}
				// Defaults that depend on the machine are left out.
				if flag.Name == "feature-gates" || flag.Name == "emulated-version" || flag.Name == "min-compatibility-version" {
					lines = append(lines, "--"+flag.Name)
					return
				}
				lines = append(lines, strings.TrimSpace(fmt.Sprintf("--%s %s", flag.Name, flag.DefValue)))
			})
			got := strings.Join(lines, "\n") + "\n"
			golden := filepath.Join("testdata", name+".flags")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command := NewCommand()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs(args)
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetContext(t.Context())
	err := command.Execute()
	return out.String(), err
}

func TestHelpIsGrouped(t *testing.T) {
	tests := map[string][]string{
		"server":             {"Embedded etcd flags:", "Controllers flags:", "Host cluster flags:", "Admission flags:", "--data-dir"},
		"apiserver":          {"Etcd flags:", "Secure serving flags:", "--etcd-servers"},
		"controller-manager": {"Clusters flags:", "Leader election flags:", "Diagnostics flags:", "--leader-elect"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			help, err := run(t, name, "--help")
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range want {
				if !strings.Contains(help, text) {
					t.Errorf("the help has no %q", text)
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	out, err := run(t, "version", "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	var got version.Info
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(version.Get(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := run(t, "version", "--output=xml"); err == nil {
		t.Error("an unknown format was taken")
	}
}

func TestCommandsTakeNoArguments(t *testing.T) {
	for _, command := range NewCommand().Commands() {
		if _, err := run(t, command.Name(), "surplus"); err == nil {
			t.Errorf("%s took an argument", command.Name())
		}
	}
}

// TestRenderIsHidden makes sure that the command that renders is nothing that
// help names, and that it takes nothing else for a chart.
func TestRenderIsHidden(t *testing.T) {
	help, err := run(t, "--help")
	if err != nil || strings.Contains(help, "render") {
		t.Errorf("%v: %s", err, help)
	}
	command := NewCommand()
	command.SetArgs([]string{"render"})
	command.SetIn(strings.NewReader("x"))
	command.SilenceErrors, command.SilenceUsage = true, true
	if err := command.Execute(); err == nil {
		t.Error("it renders what is no chart")
	}
}
