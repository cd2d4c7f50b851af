// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/enroll"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

type targetsOptions struct {
	*session
	all              bool
	selector, output string
}

func (s *session) targetsCommand() *cobra.Command {
	o := &targetsOptions{session: s}
	command := &cobra.Command{
		Use:     "targets",
		Aliases: []string{"target"},
		Short:   "Show the clusters that can be installed on, add one, or remove one",
		Long:    "Shows the clusters that can be installed on. Its subcommands add one and remove one.",
		Example: "  kubectl ksit targets -A\n  kubectl ksit targets -l region=eu -o wide",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	flags := command.Flags()
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "Show the targets of all namespaces.")
	flags.StringVarP(&o.selector, "selector", "l", "", "Only those with these labels.")
	flags.StringVarP(&o.output, "output", "o", "", "json, yaml, wide or name, instead of the table.")
	command.AddCommand(s.targetsAddCommand(), s.targetsRemoveCommand())
	return command
}

func (o *targetsOptions) run(ctx context.Context) error {
	if err := checkOutput(o.output, outputJSON, outputYAML, outputWide, outputName); err != nil {
		return err
	}
	client, namespace, err := o.connect()
	if err != nil {
		return err
	}
	if o.all {
		namespace = ""
	}
	targets, err := listTargets(ctx, client, namespace, o.selector)
	if err != nil {
		return err
	}
	switch o.output {
	case outputJSON, outputYAML:
		var objects []runtime.Object
		for n := range targets {
			objects = append(objects, &targets[n])
		}
		return printObjects(o.Out, o.output, false, objects...)
	case outputName:
		for _, t := range targets {
			fmt.Fprintln(o.Out, resourceName("IntegrationTarget", t.Name))
		}
		return nil
	}
	if len(targets) == 0 {
		fmt.Fprintln(o.ErrOut, nothingIn("targets", namespace))
		return nil
	}
	return o.table(targets)
}

func listTargets(ctx context.Context, client versioned.Interface, namespace, selector string) ([]v1alpha1.IntegrationTarget, error) {
	options := metav1.ListOptions{LabelSelector: selector, Limit: 500}
	var all []v1alpha1.IntegrationTarget
	for {
		page, err := client.KsitV1alpha1().IntegrationTargets(namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

func (o *targetsOptions) table(targets []v1alpha1.IntegrationTarget) error {
	header := []string{"NAME", "CLUSTER", "READY", "VERSION", "NODES", "INSTALLATIONS", "AGE"}
	if o.output == outputWide {
		header = append(header, "ENDPOINT", "LATENCY", "CREDENTIALS EXPIRE", "MESSAGE")
	}
	if o.all {
		header = append([]string{"NAMESPACE"}, header...)
	}
	var rows [][]string
	for n := range targets {
		rows = append(rows, o.row(&targets[n]))
	}
	return fleet.Columns(o.Out, header, rows)
}

func (o *targetsOptions) row(t *v1alpha1.IntegrationTarget) []string {
	nodes := ""
	if t.Status.Nodes != nil {
		nodes = fmt.Sprintf("%d/%d", t.Status.Nodes.Ready, t.Status.Nodes.Total)
	}
	row := []string{t.Name, t.Spec.ClusterName, fmt.Sprint(t.Status.Ready), t.Status.Version, nodes,
		fmt.Sprint(t.Status.Installations), duration.HumanDuration(max(o.now().Sub(t.CreationTimestamp.Time), 0))}
	if o.output == outputWide {
		expire := ""
		if at := t.Status.CredentialsExpireAt; at != nil {
			expire = at.UTC().Format(time.RFC3339)
		}
		latency := ""
		if ms := t.Status.LatencyMilliseconds; ms > 0 {
			latency = (time.Duration(ms) * time.Millisecond).String()
		}
		row = append(row, t.Status.Endpoint, latency, expire, notReady(t))
	}
	if o.all {
		row = append([]string{t.Namespace}, row...)
	}
	return row
}

// notReady says why a target is not ready; empty where it is.
func notReady(t *v1alpha1.IntegrationTarget) string {
	text := ""
	for _, c := range t.Status.Conditions {
		if c.Status == metav1.ConditionTrue || c.Message == "" || c.Type == v1alpha1.ConditionReady {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += c.Message
	}
	return text
}

// hosts are the clients that registering needs.
func (s *session) hosts() (enroll.Hosts, error) {
	kubernetes, err := s.host()
	if err != nil {
		return enroll.Hosts{}, err
	}
	ksit, err := s.ksit()
	return enroll.Hosts{Kubernetes: kubernetes, KSIT: ksit}, err
}
