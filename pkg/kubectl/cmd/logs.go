// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

type logsOptions struct {
	*session
	target             string
	follow, timestamps bool
	tail               int64
	since              time.Duration
	most               int
}

func (s *session) logsCommand() *cobra.Command {
	o := &logsOptions{session: s}
	command := &cobra.Command{
		Use:   "logs INTEGRATION [--target TARGET]",
		Short: "Print what KSIT does on the targets of an Integration",
		Long:  "Prints what KSIT did for an Integration, line by line: on one target, or on all of them, each line then with the name of its target in front.",
		Example: "  kubectl ksit logs web --target production-cluster-2 --tail 20\n" +
			"  kubectl ksit logs web -f",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationNames)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	flags := command.Flags()
	flags.StringVar(&o.target, "target", "", "Only of this target.")
	flags.BoolVarP(&o.follow, "follow", "f", false, "Go on until interrupted.")
	flags.Int64Var(&o.tail, "tail", -1, "How many of the last lines are printed, of each target; -1 for all that are kept.")
	flags.DurationVar(&o.since, "since", 0, "Leave out what is older, such as 10m.")
	flags.BoolVar(&o.timestamps, "timestamps", false, "Begin each line with its time.")
	flags.IntVar(&o.most, "max-targets", 20, "Of how many targets at most logs are read at a time.")
	s.completeFlag(command, "target", s.targetsOfArgument)
	return command
}

func (o *logsOptions) run(ctx context.Context, args []string) error {
	switch {
	case o.tail < -1:
		return fmt.Errorf("--tail is %d, it must be 0 or more, or -1", o.tail)
	case o.since < 0:
		return fmt.Errorf("--since is %s, it must not be negative", o.since)
	}
	integration, err := integrationArgument(args)
	if err != nil {
		return err
	}
	client, namespace, err := o.connect()
	if err != nil {
		return err
	}
	all, err := installations(ctx, client, namespace, integration, o.target)
	if err != nil {
		return err
	}
	if len(all) > o.most {
		return fmt.Errorf("%s is on %d targets, and logs of %d at most are read at a time: name one with --target, or raise --max-targets", integration, len(all), o.most)
	}
	t, err := o.terminal()
	if err != nil {
		return err
	}
	out := &sharedWriter{out: o.Out}
	group, ctx := errgroup.WithContext(ctx)
	for n := range all {
		prefix := ""
		if len(all) > 1 {
			prefix = t.Paint(prefixStyle(n), "["+fleet.TargetName(&all[n])+"]") + " "
		}
		group.Go(func() error {
			if err := o.stream(ctx, client, &all[n], prefix, out); err != nil {
				return fmt.Errorf("the log of %s: %w", fleet.TargetName(&all[n]), err)
			}
			return nil
		})
	}
	err = group.Wait()
	if errors.Is(err, context.Canceled) && o.follow {
		return nil
	}
	return err
}

func prefixStyle(n int) terminal.Style {
	styles := []terminal.Style{terminal.Note, terminal.Good, terminal.Pending}
	return styles[n%len(styles)]
}

func (o *logsOptions) query() *v1alpha1.InstallationLogOptions {
	options := &v1alpha1.InstallationLogOptions{Follow: o.follow, Timestamps: o.timestamps}
	if o.tail >= 0 {
		options.TailLines = &o.tail
	}
	if o.since > 0 {
		// Rounded up: better a line too many than one too few.
		seconds := int64((o.since + time.Second - 1) / time.Second)
		options.SinceSeconds = &seconds
	}
	return options
}

func (o *logsOptions) stream(ctx context.Context, client versioned.Interface, i *v1alpha1.Installation, prefix string, out io.Writer) error {
	stream, err := client.KsitV1alpha1().RESTClient().Get().Namespace(i.Namespace).Resource("installations").Name(i.Name).SubResource("log").
		VersionedParams(o.query(), scheme.ParameterCodec).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	// A line is at most MaxLogLine long, and a timestamp.
	lines.Buffer(make([]byte, 0, 4<<10), 64<<10)
	for lines.Scan() {
		if _, err := fmt.Fprintln(out, prefix+terminal.Clean(lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// sharedWriter keeps the lines of several streams apart.
type sharedWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *sharedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}
