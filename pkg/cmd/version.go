// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"ksit.io/ksit/pkg/version"
)

func newVersionCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "version",
		Short: "Prints which build this is",
		Long:  "Prints the version of KSIT, and of the Kubernetes libraries and the compiler that it is built with.",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			info := version.Get()
			switch output {
			case "":
				_, err := fmt.Fprintln(command.OutOrStdout(), info)
				return err
			case "json":
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(info)
			default:
				return fmt.Errorf("--output is %q, it must be json or left out", output)
			}
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "Print as json instead of in one line.")
	return command
}
