// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/progress"
)

type rollbackOptions struct {
	*session
	target, release string
	revision        int64
	wait            waitFlags
}

// waitFlags are those of commands that ask for work.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

func (w *waitFlags) add(command *cobra.Command) {
	command.Flags().BoolVar(&w.wait, "wait", false, "Wait until it is done, and fail when it fails.")
	command.Flags().DurationVar(&w.timeout, "timeout", 10*time.Minute, "How long --wait waits.")
}

func (w *waitFlags) check() error {
	if w.timeout <= 0 {
		return fmt.Errorf("--timeout is %s, it must be more than 0", w.timeout)
	}
	return nil
}

func (s *session) rollbackCommand() *cobra.Command {
	o := &rollbackOptions{session: s}
	command := &cobra.Command{
		Use:   "rollback INTEGRATION --target TARGET",
		Short: "Bring an earlier revision back, on one target alone",
		Long: "Brings an earlier revision of a release back on one target. Other targets stay as they are, and what it was rolled back from " +
			"is held back there until the spec changes or a reconcile is asked for.",
		Example: "  kubectl ksit rollback web --target production-cluster-2 --wait\n" +
			"  kubectl ksit rollback web --target production-cluster-2 --to-revision 3",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationNames)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	flags := command.Flags()
	flags.StringVar(&o.target, "target", "", "The target; may be left out where there is one only.")
	flags.StringVar(&o.release, "release", "", "The release; the last one of the Integration by default.")
	flags.Int64Var(&o.revision, "to-revision", 0, "The revision, as history numbers it; by default the last that went through before the present one.")
	o.wait.add(command)
	s.completeFlag(command, "target", s.targetsOfArgument)
	s.completeOfTarget(command, "to-revision", s.revisionsOfArgument)
	s.completeOfTarget(command, "release", s.releasesOfArgument)
	return command
}

func (o *rollbackOptions) run(ctx context.Context, args []string) error {
	if o.revision < 0 {
		return fmt.Errorf("--to-revision is %d, it must be 1 or more, or left out", o.revision)
	}
	if err := o.wait.check(); err != nil {
		return err
	}
	client, i, err := o.installationOn(ctx, args, o.target)
	if err != nil {
		return err
	}
	answer, err := client.KsitV1alpha1().Installations(i.Namespace).Rollback(ctx, i.Name,
		&v1alpha1.RollbackRequest{
			ObjectMeta: metav1.ObjectMeta{Name: i.Name, Namespace: i.Namespace},
			Spec:       v1alpha1.RollbackRequestSpec{Release: o.release, Revision: o.revision},
		}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	what := "the last revision that went through"
	if o.revision > 0 {
		what = fmt.Sprintf("revision %d", o.revision)
	}
	o.say("rollback of %s on %s to %s requested (id %s)", i.Spec.Integration, fleet.TargetName(i), what, answer.Status.ID)
	if !o.wait.wait {
		return nil
	}
	t, err := o.terminal()
	if err != nil {
		return err
	}
	return progress.Follow(ctx, client, []progress.Work{{
		NamespacedName: types.NamespacedName{Namespace: i.Namespace, Name: i.Spec.Integration},
		Judge:          progress.UntilDone(answer.Status.ID, func(other *v1alpha1.Installation) bool { return other.Name == i.Name }),
	}}, o.wait.timeout, progress.NewReporter(t))
}
