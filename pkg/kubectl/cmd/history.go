// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

type historyOptions struct {
	*session
	target, output string
}

func (s *session) historyCommand() *cobra.Command {
	o := &historyOptions{session: s}
	command := &cobra.Command{
		Use:               "history INTEGRATION --target TARGET",
		Short:             "Show the revisions of what is installed on a target",
		Long:              "Shows the revisions of each release on a target, read from there now: those that a rollback can bring back.",
		Example:           "  kubectl ksit history web --target production-cluster-2",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationNames)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	command.Flags().StringVar(&o.target, "target", "", "The target; may be left out where there is one only.")
	command.Flags().StringVarP(&o.output, "output", "o", "", "json or yaml, instead of tables.")
	s.completeFlag(command, "target", s.targetsOfArgument)
	return command
}

func (o *historyOptions) run(ctx context.Context, args []string) error {
	if err := checkOutput(o.output, outputJSON, outputYAML); err != nil {
		return err
	}
	client, i, err := o.installationOn(ctx, args, o.target)
	if err != nil {
		return err
	}
	history, err := client.KsitV1alpha1().Installations(i.Namespace).GetHistory(ctx, i.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if o.output != "" {
		return printObjects(o.Out, o.output, true, history)
	}
	if len(history.Releases) == 0 {
		fmt.Fprintf(o.ErrOut, "Nothing is installed on %s.\n", fleet.TargetName(i))
		return nil
	}
	for n, release := range history.Releases {
		if n > 0 {
			fmt.Fprintln(o.Out)
		}
		if err := o.release(release, i.Status.Hold); err != nil {
			return err
		}
	}
	return nil
}

func (o *historyOptions) release(release v1alpha1.ReleaseHistory, hold *v1alpha1.Hold) error {
	o.say("%s in %s", release.Name, release.Namespace)
	var rows [][]string
	for _, r := range release.Revisions {
		updated := ""
		if r.DeployedAt != nil {
			updated = r.DeployedAt.UTC().Format(time.RFC3339)
		}
		chart := r.Chart
		if r.Version != "" {
			chart += " " + r.Version
		}
		description := r.Description
		if hold != nil && hold.Digest != "" && hold.Digest == r.Digest && hold.Release == release.Name {
			description += " (held back)"
		}
		rows = append(rows, []string{fmt.Sprint(r.Revision), updated, r.Status, chart, r.AppVersion, description})
	}
	return fleet.Columns(o.Out, []string{"REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"}, rows)
}
