// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ksit.io/ksit/pkg/check"
	"ksit.io/ksit/pkg/cmd/options"
)

func newCheckCommand() *cobra.Command {
	var kubeconfig string
	o := check.Options{Namespace: "ksit-system", Timeout: 30 * time.Second}
	command := &cobra.Command{
		Use:   "check",
		Short: "Asks a host cluster whether KSIT works there",
		Long: "Asks a host cluster, as any client of it does, whether it serves the API of KSIT and whether KSIT takes what is " +
			"written, and says what to do where not. It changes nothing. It is what helm test runs.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if o.Timeout <= 0 {
				return fmt.Errorf("--timeout is %s, it must be over 0", o.Timeout)
			}
			if o.Namespace == "" {
				return errors.New("--namespace must be given")
			}
			var err error
			if o.Host, err = options.RESTConfig(kubeconfig); err != nil {
				return err
			}
			// What is wrong is no matter of how the command is called.
			command.SilenceUsage = true
			o.Report = command.OutOrStdout()
			return check.Run(command.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "Kubeconfig file of the host cluster. The in-cluster configuration is used when empty.")
	flags.StringVarP(&o.Namespace, "namespace", "n", o.Namespace, "Namespace in which Integrations are listed, and one is made as a dry run.")
	flags.DurationVar(&o.Timeout, "timeout", o.Timeout, "How long to wait for all to be well.")
	return command
}
