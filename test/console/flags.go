// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Check tells what of a command line root does not know: a command, or a flag.
func Check(root *cobra.Command, args []string) error {
	root.InitDefaultHelpFlag()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	command, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if command.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("%s has no command %s", command.CommandPath(), rest[0])
	}
	command.InitDefaultHelpFlag()
	for _, arg := range rest {
		if arg == "--" {
			return nil
		}
		// An ellipsis stands for flags that a document leaves out.
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			continue
		}
		name, _, _ := strings.Cut(arg, "=")
		long, isLong := strings.CutPrefix(name, "--")
		if isLong && command.Flag(long) == nil || !isLong && command.Flags().ShorthandLookup(name[1:2]) == nil && command.InheritedFlags().ShorthandLookup(name[1:2]) == nil {
			return fmt.Errorf("%s has no flag %s", command.CommandPath(), name)
		}
	}
	return nil
}
