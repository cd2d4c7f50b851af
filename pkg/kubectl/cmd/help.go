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
	root.SetUsageFunc(usage)
}

// usage writes how a command is used. It is no template: with those, the linker
// has to keep every method of every type, which makes the program half as large
// again.
func usage(command *cobra.Command) error {
	var out strings.Builder
	out.WriteString("Usage:\n")
	if command.Runnable() && command.HasParent() {
		fmt.Fprintf(&out, "  %s\n", command.UseLine())
	}
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(&out, "  %s [command]\n", command.CommandPath())
	}
	if command.Example != "" {
		fmt.Fprintf(&out, "\nExamples:\n%s\n", command.Example)
	}
	for _, group := range command.Groups() {
		listCommands(&out, group.Title, command, group.ID)
	}
	title := "Commands:"
	if len(command.Groups()) > 0 {
		title = "The rest:"
	}
	listCommands(&out, title, command, "")
	if command.HasParent() {
		if flags := strings.TrimRight(command.LocalFlags().FlagUsages(), "\n"); flags != "" {
			fmt.Fprintf(&out, "\nFlags:\n%s\n", flags)
		}
	}
	fmt.Fprintf(&out, "\nUse %q for the flags that all commands have.\n", command.Root().DisplayName()+" options")
	if command.HasAvailableSubCommands() {
		fmt.Fprintf(&out, "Use %q for more about a command.\n", command.CommandPath()+" [command] --help")
	}
	_, err := fmt.Fprint(command.OutOrStderr(), out.String())
	return err
}

func listCommands(out *strings.Builder, title string, parent *cobra.Command, group string) {
	var lines []string
	for _, command := range parent.Commands() {
		if command.GroupID == group && command.IsAvailableCommand() {
			lines = append(lines, fmt.Sprintf("  %-12s %s\n", command.Name(), command.Short))
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(out, "\n%s\n%s", title, strings.Join(lines, ""))
	}
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
