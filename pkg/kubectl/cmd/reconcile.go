// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/progress"
)

type reconcileOptions struct {
	*session
	target string
	wait   waitFlags
}

func (s *session) reconcileCommand() *cobra.Command {
	o := &reconcileOptions{session: s}
	command := &cobra.Command{
		Use:   "reconcile (INTEGRATION [--target TARGET] | target/NAME)",
		Short: "Have done at once what there is to do",
		Long: "Has done at once what there is to do: on all targets of an Integration, on one of them, or the probe of a target. " +
			"It clears a spent budget of retries, and ends what a rollback holds back.",
		Example: "  kubectl ksit reconcile web --wait\n" +
			"  kubectl ksit reconcile web --target production-cluster-2\n" +
			"  kubectl ksit reconcile target/production-cluster-2",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationOrTarget)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	command.Flags().StringVar(&o.target, "target", "", "Only on this target.")
	o.wait.add(command)
	s.completeFlag(command, "target", s.targetsOfArgument)
	return command
}

func (o *reconcileOptions) run(ctx context.Context, args []string) error {
	ref, err := parseReference(args[0])
	if err != nil {
		return err
	}
	if ref.target && o.target != "" {
		return errors.New("target/NAME and --target do not go together")
	}
	if err := o.wait.check(); err != nil {
		return err
	}
	client, namespace, err := o.connect()
	if err != nil {
		return err
	}
	switch {
	case ref.target:
		return o.targetItself(ctx, client, namespace, ref.name)
	case o.target != "":
		return o.onTarget(ctx, client, namespace, ref.name)
	default:
		return o.everywhere(ctx, client, namespace, ref.name)
	}
}

func request(namespace, name string) *v1alpha1.ReconcileRequest {
	return &v1alpha1.ReconcileRequest{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func (o *reconcileOptions) everywhere(ctx context.Context, client versioned.Interface, namespace, name string) error {
	answer, err := client.KsitV1alpha1().Integrations(namespace).Reconcile(ctx, name, request(namespace, name), metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	o.say("reconcile of %s requested (id %s)", name, answer.Status.ID)
	return o.follow(ctx, client, namespace, name, progress.UntilReconciled(answer.Status.ID))
}

func (o *reconcileOptions) onTarget(ctx context.Context, client versioned.Interface, namespace, name string) error {
	i, err := installation(ctx, client, namespace, name, o.target)
	if err != nil {
		return err
	}
	answer, err := client.KsitV1alpha1().Installations(namespace).Reconcile(ctx, i.Name, request(namespace, i.Name), metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	o.say("reconcile of %s on %s requested (id %s)", name, fleet.TargetName(i), answer.Status.ID)
	return o.follow(ctx, client, namespace, name,
		progress.UntilDone(answer.Status.ID, func(other *v1alpha1.Installation) bool { return other.Name == i.Name }))
}

func (o *reconcileOptions) follow(ctx context.Context, client versioned.Interface, namespace, name string, judge progress.Judge) error {
	if !o.wait.wait {
		return nil
	}
	t, err := o.terminal()
	if err != nil {
		return err
	}
	work := progress.Work{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}, Judge: judge}
	return progress.Follow(ctx, client, []progress.Work{work}, o.wait.timeout, progress.NewReporter(t))
}

// targetItself asks for a probe. With --wait it is also made while the caller
// waits: a probe that finds what the last one did leaves no trace.
func (o *reconcileOptions) targetItself(ctx context.Context, client versioned.Interface, namespace, name string) error {
	answer, err := client.KsitV1alpha1().IntegrationTargets(namespace).Reconcile(ctx, name, request(namespace, name), metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	o.say("reconcile of target %s requested (id %s)", name, answer.Status.ID)
	if !o.wait.wait {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait.timeout)
	defer cancel()
	health, err := client.KsitV1alpha1().IntegrationTargets(namespace).GetHealth(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("probing target %s: %w", name, err)
	}
	return targetVerdict(o.session, health)
}
