// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"github.com/spf13/cobra"

	"ksit.io/ksit/pkg/installer/helm/render"
)

// newRenderCommand is what the controllers start for each chart. It is hidden:
// what it reads and writes is nothing for people.
func newRenderCommand() *cobra.Command {
	return &cobra.Command{
		Use:    render.Command,
		Short:  "Renders a chart that it reads from its standard input",
		Long:   "Renders a chart that it reads from its standard input, within bounds of memory and time. The controllers start it themselves.",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return render.Main(command.InOrStdin(), command.OutOrStdout())
		},
	}
}
