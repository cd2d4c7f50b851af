// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/changes"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

type diffOptions struct {
	*session
	target, file string
}

// The exit codes of diff are those of kubectl diff.
const (
	exitDiffers = 1
	exitTrouble = 2
)

func (s *session) diffCommand() *cobra.Command {
	o := &diffOptions{session: s}
	command := &cobra.Command{
		Use:   "diff [INTEGRATION] [--target TARGET] [-f FILE]",
		Short: "Show what an apply would change on the targets",
		Long: "Shows what an apply of an Integration, or of one in a file, would change on its targets, by a server-side dry run there. " +
			"Targets on which the same would change are shown once.\n\n" +
			"The exit code is 0 when nothing would change, 1 when something would, and more when that could not be found out or a cluster would refuse an object.",
		Example: "  kubectl ksit diff web\n" +
			"  kubectl ksit diff -f web.yaml --target production-cluster-2",
		Args: func(command *cobra.Command, args []string) error {
			return withCode(exitTrouble, cobra.MaximumNArgs(1)(command, args))
		},
		ValidArgsFunction: s.complete(argument(0, s.integrationNames)),
		RunE: func(command *cobra.Command, args []string) error {
			return withCode(exitTrouble, o.run(command.Context(), args))
		},
	}
	// 1 would say that there are differences.
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withCode(exitTrouble, err) })
	command.Flags().StringVar(&o.target, "target", "", "Only on this target.")
	command.Flags().StringVarP(&o.file, "filename", "f", "", "A file with the Integration as it might become; - for the standard input.")
	s.completeFlag(command, "target", s.targetsOfArgument)
	return command
}

func (o *diffOptions) run(ctx context.Context, args []string) error {
	client, namespace, err := o.connect()
	if err != nil {
		return err
	}
	t, err := o.terminal()
	if err != nil {
		return err
	}
	var candidate *v1alpha1.Integration
	name := ""
	if len(args) > 0 {
		if name, err = integrationArgument(args); err != nil {
			return err
		}
	}
	if o.file != "" {
		if candidate, err = readCandidate(o.file, name, o.In); err != nil {
			return err
		}
		switch {
		case o.flags.Namespace != nil && *o.flags.Namespace != "" && candidate.Namespace != "" && candidate.Namespace != namespace:
			return fmt.Errorf("%s holds an Integration of namespace %q, and -n says %q", o.file, candidate.Namespace, namespace)
		case candidate.Namespace != "":
			namespace = candidate.Namespace
		}
		name = candidate.Name
	}
	if name == "" {
		return errors.New("name an INTEGRATION, or give one with -f")
	}
	all, err := installations(ctx, client, namespace, name, o.target)
	if err != nil {
		return err
	}
	answers := ask(ctx, client, all, candidate)
	groups, err := changes.Collapse(answers)
	if err != nil {
		return err
	}
	differs, refused := false, 0
	for n, group := range groups {
		if n > 0 {
			fmt.Fprintln(o.Out)
		}
		if err := changes.Show(t, group); err != nil {
			return err
		}
		differs = differs || group.Answer.Differs()
		refused += group.Answer.Refused()
	}
	return verdict(answers, differs, refused)
}

func verdict(answers []changes.Answer, differs bool, refused int) error {
	var errs []error
	for _, a := range answers {
		if a.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.Target, a.Err))
		}
	}
	switch {
	case len(errs) == 1:
		return errs[0]
	case len(errs) > 1:
		return fmt.Errorf("%d of %d targets could not say what would change:\n%w", len(errs), len(answers), errors.Join(errs...))
	case refused > 0:
		return errors.New("not all objects would be accepted")
	case differs:
		return &exit{code: exitDiffers}
	default:
		return nil
	}
}

func ask(ctx context.Context, client versioned.Interface, all []v1alpha1.Installation, candidate *v1alpha1.Integration) []changes.Answer {
	answers := make([]changes.Answer, len(all))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for n := range all {
		i := &all[n]
		answers[n] = changes.Answer{Target: fleet.TargetName(i), Before: i.Status.Releases}
		group.Go(func() error {
			question := &v1alpha1.InstallationDiff{ObjectMeta: metav1.ObjectMeta{Name: i.Name, Namespace: i.Namespace}}
			if candidate != nil {
				question.Spec.Integration = candidate.Spec.DeepCopy()
			}
			answer, err := client.KsitV1alpha1().Installations(i.Namespace).Diff(ctx, i.Name, question, metav1.CreateOptions{})
			if answers[n].Err = err; err == nil {
				answers[n].Diff = answer.Status
			}
			return nil
		})
	}
	_ = group.Wait() // Each answer has its own error.
	return answers
}
