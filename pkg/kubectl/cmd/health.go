// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

// atOnce bounds the requests that are under way for several targets.
const atOnce = 8

type healthOptions struct {
	*session
	target, output string
}

func (s *session) healthCommand() *cobra.Command {
	o := &healthOptions{session: s}
	command := &cobra.Command{
		Use:   "health (INTEGRATION [--target TARGET] | target/NAME)",
		Short: "Probe now, and show what was found",
		Long: "Probes an Integration on its targets, or a target, while you wait, and shows every check. " +
			"The exit code is 1 unless all is as it should be.",
		Example:           "  kubectl ksit health web\n  kubectl ksit health target/production-cluster-2",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationOrTarget)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	command.Flags().StringVar(&o.target, "target", "", "Only on this target.")
	command.Flags().StringVarP(&o.output, "output", "o", "", "json or yaml, instead of tables.")
	s.completeFlag(command, "target", s.targetsOfArgument)
	return command
}

func (o *healthOptions) run(ctx context.Context, args []string) error {
	if err := checkOutput(o.output, outputJSON, outputYAML); err != nil {
		return err
	}
	ref, err := parseReference(args[0])
	if err != nil {
		return err
	}
	if ref.target && o.target != "" {
		return errors.New("target/NAME and --target do not go together")
	}
	client, namespace, err := o.connect()
	if err != nil {
		return err
	}
	if ref.target {
		health, err := client.KsitV1alpha1().IntegrationTargets(namespace).GetHealth(ctx, ref.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if o.output != "" {
			if err := printObjects(o.Out, o.output, true, health); err != nil {
				return err
			}
			return unhealthy(!health.Ready)
		}
		return targetVerdict(o.session, health)
	}
	all, err := installations(ctx, client, namespace, ref.name, o.target)
	if err != nil {
		return err
	}
	return o.print(all, probe(ctx, client, all))
}

// probed is what came of a probe.
type probed struct {
	health *v1alpha1.InstallationHealth
	err    error
}

func probe(ctx context.Context, client versioned.Interface, all []v1alpha1.Installation) []probed {
	results := make([]probed, len(all))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for n := range all {
		group.Go(func() error {
			results[n].health, results[n].err = client.KsitV1alpha1().Installations(all[n].Namespace).GetHealth(ctx, all[n].Name, metav1.GetOptions{})
			return nil
		})
	}
	_ = group.Wait() // Each result has its own error.
	return results
}

func (o *healthOptions) print(all []v1alpha1.Installation, results []probed) error {
	bad := false
	var objects []runtime.Object
	var checks, unhealthyObjects [][]string
	var errs []error
	for n, result := range results {
		target := fleet.TargetName(&all[n])
		if result.err != nil {
			bad = true
			errs = append(errs, fmt.Errorf("%s: %w", target, result.err))
			checks = append(checks, []string{target, "<all>", string(v1alpha1.CheckUnknown), "", result.err.Error()})
			continue
		}
		h := result.health
		bad = bad || h.State != v1alpha1.CheckPassed
		objects = append(objects, h)
		took := (time.Duration(h.TookMilliseconds) * time.Millisecond).String()
		checks = append(checks, []string{target, "<all>", string(h.State), took, h.Message})
		for _, check := range h.Checks {
			checks = append(checks, []string{target, check.Name, string(check.State), "", check.Message})
		}
		for _, u := range h.Unhealthy {
			unhealthyObjects = append(unhealthyObjects, []string{target, fleet.Object(u.Kind, u.Namespace, u.Name), string(u.State), u.Reason, u.Message})
		}
	}
	if o.output != "" {
		if err := printObjects(o.Out, o.output, len(all) == 1, objects...); err != nil {
			return err
		}
		return errors.Join(append(errs, unhealthy(bad))...)
	}
	if err := fleet.Columns(o.Out, []string{"TARGET", "CHECK", "STATE", "TOOK", "MESSAGE"}, checks); err != nil {
		return err
	}
	if len(unhealthyObjects) > 0 {
		fmt.Fprintln(o.Out)
		if err := fleet.Columns(o.Out, []string{"TARGET", "OBJECT", "STATE", "REASON", "MESSAGE"}, unhealthyObjects); err != nil {
			return err
		}
	}
	return unhealthy(bad)
}

// unhealthy is the error that only sets the exit code.
func unhealthy(bad bool) error {
	if bad {
		return &exit{code: 1}
	}
	return nil
}

func targetVerdict(s *session, h *v1alpha1.IntegrationTargetHealth) error {
	var rows [][]string
	for _, c := range h.Conditions {
		rows = append(rows, []string{c.Type, string(c.Status), c.Reason, c.Message})
	}
	facts := fmt.Sprintf("%s  version %s  latency %s", h.Endpoint, h.Version, time.Duration(h.LatencyMilliseconds)*time.Millisecond)
	if h.Nodes != nil {
		facts += fmt.Sprintf("  nodes %d/%d", h.Nodes.Ready, h.Nodes.Total)
	}
	if h.CredentialsExpireAt != nil {
		facts += "  credentials expire " + h.CredentialsExpireAt.UTC().Format(time.RFC3339)
	}
	s.say("%s", facts)
	if err := fleet.Columns(s.Out, []string{"CONDITION", "STATUS", "REASON", "MESSAGE"}, rows); err != nil {
		return err
	}
	return unhealthy(!h.Ready)
}
