// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/pkg/kubectl/passage"
)

func (s *session) kubeconfigCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "kubeconfig TARGET",
		Short: "Make a kubeconfig that leads through KSIT to a target",
		Long: "Makes a kubeconfig whose server is the API of a target, through KSIT, and whose user is you, as in your kubeconfig of the host " +
			"cluster. What you may do is what you may do on the target. By default it is a file that only you can read, whose path is printed.",
		Example: "  kubectl --kubeconfig $(kubectl ksit kubeconfig production-cluster-2) get pods -A\n" +
			"  kubectl ksit kubeconfig production-cluster-2 -o production-cluster-2.kubeconfig",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.targetNames)),
		RunE: func(command *cobra.Command, args []string) error {
			return s.kubeconfig(command.Context(), args[0], output)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "The file to write; - prints the kubeconfig, with what credentials yours has.")
	return command
}

func (s *session) kubeconfig(ctx context.Context, argument, output string) error {
	namespace, name, err := s.findTarget(ctx, argument)
	if err != nil {
		return err
	}
	config, err := passage.Kubeconfig(s.flags, namespace, name)
	if err != nil {
		return err
	}
	switch output {
	case "-":
		data, err := clientcmd.Write(*config)
		if err != nil {
			return fmt.Errorf("writing the kubeconfig: %w", err)
		}
		_, err = s.Out.Write(data)
		return err
	case "":
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("finding your cache directory: %w", err)
		}
		if output, err = passage.File(cache, config, namespace, name); err != nil {
			return err
		}
	}
	if err := passage.Write(output, config); err != nil {
		return err
	}
	fmt.Fprintln(s.Out, output)
	return nil
}
