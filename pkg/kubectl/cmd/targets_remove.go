// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/kubectl/enroll"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

func (s *session) targetsRemoveCommand() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"rm"},
		Short:   "Remove a target",
		Long: "Deletes a target, after asking, and the Secret that targets add made for it. A target that is in use stays until nothing is " +
			"installed on it any more. What --mint-service-account made on the target stays there: its token ends by itself.",
		Example:           "  kubectl ksit targets remove eu-1",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.targetNames)),
		RunE: func(command *cobra.Command, args []string) error {
			return s.removeTarget(command.Context(), args[0], yes)
		},
	}
	command.Flags().BoolVarP(&yes, "yes", "y", false, "Do not ask.")
	return command
}

func (s *session) removeTarget(ctx context.Context, argument string, yes bool) error {
	ref, err := parseReference(argument)
	if err != nil {
		return err
	}
	namespace, err := s.namespace()
	if err != nil {
		return err
	}
	hosts, err := s.hosts()
	if err != nil {
		return err
	}
	target, err := hosts.KSIT.KsitV1alpha1().IntegrationTargets(namespace).Get(ctx, ref.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !yes {
		use := "which nothing is installed on"
		if n := target.Status.Installations; n > 0 {
			use = fmt.Sprintf("which %d Integrations are installed on", n)
		}
		if err := s.ask(fmt.Sprintf("Delete target %s/%s, %s?", namespace, target.Name, use)); err != nil {
			return err
		}
	}
	return enroll.Remove(ctx, hosts, namespace, target.Name, s.say)
}

// ask returns an error unless somebody says yes.
func (s *session) ask(question string) error {
	if file, ok := s.In.(*os.File); ok && !term.IsTerminal(int(file.Fd())) {
		return errors.New("there is nobody to ask: say --yes")
	}
	fmt.Fprint(s.ErrOut, terminal.Clean(question)+" [y/N] ")
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errors.New("nothing was deleted")
	}
}
