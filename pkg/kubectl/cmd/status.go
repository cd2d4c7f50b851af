// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

type statusOptions struct {
	*session
	all, watch bool
	output     string
	limit      int
}

func (s *session) statusCommand() *cobra.Command {
	o := &statusOptions{session: s}
	command := &cobra.Command{
		Use:   "status [INTEGRATION]",
		Short: "Show what runs where, and what is wrong",
		Long: "Shows each Integration with its targets, the worst first; on each target its releases, the objects that are unhealthy " +
			"or drifted, what a rollback holds back, and what was last done.",
		Example: "  kubectl ksit status -n ksit-system\n" +
			"  kubectl ksit status web --watch\n" +
			"  kubectl ksit status -A -o wide",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationNames)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	flags := command.Flags()
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "Show the Integrations of all namespaces.")
	flags.BoolVarP(&o.watch, "watch", "w", false, "Go on showing changes: in place on a terminal, else as a line for each.")
	flags.StringVarP(&o.output, "output", "o", "", "json, yaml, wide (a line for each target) or name, instead of the tree.")
	flags.IntVar(&o.limit, "limit", 20, "How many targets of each Integration the tree has; 0 for all.")
	return command
}

func (o *statusOptions) run(ctx context.Context, args []string) error {
	if err := checkOutput(o.output, outputJSON, outputYAML, outputWide, outputName); err != nil {
		return err
	}
	switch {
	case o.limit < 0:
		return fmt.Errorf("--limit is %d, it must not be negative", o.limit)
	case o.watch && o.output != "":
		return errors.New("--watch and --output do not go together: watch objects with kubectl get --watch")
	case o.all && len(args) > 0:
		return errors.New("an INTEGRATION and --all-namespaces do not go together: name its namespace with -n")
	}
	client, namespace, err := o.connect()
	if err != nil {
		return err
	}
	name := ""
	if len(args) > 0 {
		if name, err = integrationArgument(args); err != nil {
			return err
		}
	}
	if o.all {
		namespace = ""
	}
	t, err := o.terminal()
	if err != nil {
		return err
	}
	if o.watch {
		show := o.appendChanges(t)
		if t.Interactive {
			show = o.redraw(t)
		}
		return fleet.Watch(ctx, client, namespace, name, show)
	}
	entries, err := fleet.Read(ctx, client, namespace, name)
	if err != nil {
		return err
	}
	if len(entries) == 0 && o.output != outputJSON && o.output != outputYAML {
		fmt.Fprintln(o.ErrOut, nothingIn("Integrations", namespace))
		return nil
	}
	return o.print(t, entries, name != "")
}

// nothingIn says that there is nothing of a kind, as kubectl does.
func nothingIn(kinds, namespace string) string {
	if namespace == "" {
		return "No " + kinds + " found"
	}
	return fmt.Sprintf("No %s found in namespace %s.", kinds, namespace)
}

func (o *statusOptions) layout(t *terminal.Terminal) *fleet.Layout {
	return &fleet.Layout{Terminal: t, Now: o.now(), Targets: o.limit, Namespaces: o.all}
}

func (o *statusOptions) print(t *terminal.Terminal, entries []fleet.Entry, one bool) error {
	switch o.output {
	case outputJSON, outputYAML:
		var objects []runtime.Object
		for n := range entries {
			objects = append(objects, &entries[n].Integration)
			for m := range entries[n].Installations {
				objects = append(objects, &entries[n].Installations[m])
			}
		}
		return printObjects(o.Out, o.output, false, objects...)
	case outputName:
		for _, entry := range entries {
			fmt.Fprintln(o.Out, resourceName("Integration", entry.Integration.Name))
			for n := range entry.Installations {
				fmt.Fprintln(o.Out, resourceName("Installation", entry.Installations[n].Name))
			}
		}
		return nil
	case outputWide:
		return o.layout(t).Table(o.Out, entries)
	default:
		for _, line := range o.layout(t).Tree(entries) {
			if _, err := fmt.Fprintln(o.Out, line); err != nil {
				return err
			}
		}
		return nil
	}
}

// redraw shows the tree in place of the one before.
func (o *statusOptions) redraw(t *terminal.Terminal) func([]fleet.Entry) error {
	screen := terminal.NewScreen(t)
	return func(entries []fleet.Entry) error {
		lines := o.layout(t).Tree(entries)
		if len(lines) == 0 {
			lines = []string{"no Integrations"}
		}
		return screen.Show(append(lines, t.Paint(terminal.Faint, o.now().Format(time.TimeOnly)+"  Ctrl-C ends")))
	}
}

// appendChanges writes a line for each Installation whose phase or message is
// not what it was.
func (o *statusOptions) appendChanges(t *terminal.Terminal) func([]fleet.Entry) error {
	said := map[string]string{}
	return func(entries []fleet.Entry) error {
		seen := map[string]string{}
		for _, entry := range entries {
			for n := range entry.Installations {
				i := &entry.Installations[n]
				key := i.Namespace + "/" + i.Name
				seen[key] = string(i.PresentPhase()) + " " + i.Status.Message
				if said[key] == seen[key] {
					continue
				}
				line := fmt.Sprintf("%s  %s  %s  %s", o.now().Format(time.RFC3339), i.Spec.Integration, fleet.TargetName(i), i.PresentPhase())
				if o.all {
					line = fmt.Sprintf("%s  %s/%s  %s  %s", o.now().Format(time.RFC3339), i.Namespace, i.Spec.Integration, fleet.TargetName(i), i.PresentPhase())
				}
				if i.Status.Message != "" {
					line += "  " + i.Status.Message
				}
				if _, err := fmt.Fprintln(o.Out, t.Paint(terminal.Plain, line)); err != nil {
					return err
				}
			}
		}
		for key := range said {
			if _, there := seen[key]; !there {
				fmt.Fprintf(o.Out, "%s  %s  gone\n", o.now().Format(time.RFC3339), key)
			}
		}
		said = seen
		return nil
	}
}
