// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands, in the order in which help shows them.
const (
	groupLook    = "look"
	groupChange  = "change"
	groupCluster = "cluster"
)

// arrange puts the commands into groups, and has help keep to what is a
// command's own: the flags of kubectl are many, and are shown by options.
func arrange(root *cobra.Command, groups map[string][]*cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupChange, Title: "Change:"},
		&cobra.Group{ID: groupCluster, Title: "Clusters:"},
	)
	for id, commands := range groups {
		for _, command := range commands {
			command.GroupID = id
			root.AddCommand(command)
		}
	}
	root.AddCommand(optionsCommand())
	template := strings.NewReplacer(
		"{{if .HasAvailableLocalFlags}}", "{{if and .HasAvailableLocalFlags .HasParent}}",
		"Global Flags:\n{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}", "Use \"{{.Root.DisplayName}} options\" for the flags that all commands have.",
		"Additional Commands:", "The rest:",
	).Replace(root.UsageTemplate())
	root.SetUsageTemplate(template)
}

func optionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "options",
		Short: "Print the flags that all commands have",
		Long:  "Prints the flags that all commands have: those of kubectl, and how output is coloured.",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(command.OutOrStdout(), strings.TrimRight(command.InheritedFlags().FlagUsages(), "\n"))
			return err
		},
	}
}
