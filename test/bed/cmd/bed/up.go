// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ksit.io/ksit/test/bed"
)

func newBuild(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "build",
		Aliases: []string{"tools"},
		Short:   "Build the tools that beds are made of, unless they are there, and print the directory that holds them",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tools, err := bed.BuildTools(cmd.Context(), c.dir, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), tools.BinDir)
			return nil
		},
	}
}

// upFlags are the flags of up, handed on to supervise.
type upFlags struct {
	targets            int
	nodes              int
	prometheusOperator bool
	realNode           bool
}

func (f *upFlags) bind(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.targets, "targets", 2, "The number of target clusters.")
	cmd.Flags().IntVar(&f.nodes, "nodes", 3, "The number of nodes of each target cluster.")
	cmd.Flags().BoolVar(&f.realNode, "real-node", false, "Give the host a node on which pods really run: needs root, containerd, runc, iptables and conntrack.")
	cmd.Flags().BoolVar(&f.prometheusOperator, "prometheus-operator", true, "Run the Prometheus operator beside each target as soon as its kinds are served there.")
}

func (f *upFlags) options(c *common, log io.Writer) bed.Options {
	return bed.Options{
		Name: c.name, Dir: c.dir,
		Targets: f.targets, Nodes: f.nodes, PrometheusOperator: f.prometheusOperator, RealNode: f.realNode,
		Log: log,
	}
}

func newUp(c *common) *cobra.Command {
	var flags upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a bed and leave it running until bed down",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return up(cmd, c, &flags) },
	}
	flags.bind(cmd)
	return cmd
}

// up starts a supervisor in a session of its own, so that it stays when the
// terminal goes, and waits until that has reported.
func up(cmd *cobra.Command, c *common, flags *upFlags) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	reports, reporter, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = reports.Close() }()
	supervisor := exec.Command(self, "supervise",
		"--name="+c.name, "--dir="+c.dir,
		"--targets="+strconv.Itoa(flags.targets),
		"--nodes="+strconv.Itoa(flags.nodes),
		"--real-node="+strconv.FormatBool(flags.realNode),
		"--prometheus-operator="+strconv.FormatBool(flags.prometheusOperator))
	supervisor.ExtraFiles = []*os.File{reporter}
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := supervisor.Start(); err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	_ = reporter.Close()
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-cmd.Context().Done():
			_ = supervisor.Process.Signal(syscall.SIGTERM)
		case <-stopped:
		}
	}()
	if err := relay(reports, cmd.ErrOrStderr()); err != nil {
		_ = supervisor.Wait()
		return err
	}
	state, err := bed.Find(c.dir, c.name)
	if err != nil {
		return err
	}
	printState(cmd.OutOrStdout(), state)
	return supervisor.Process.Release()
}

// What a supervisor reports in the last line before it closes its end.
const (
	reportUp     = "up"
	reportFailed = "failed: "
)

// relay copies the progress of a supervisor until it has reported success or
// failure.
func relay(reports io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(reports)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == reportUp {
			return nil
		}
		if quoted, ok := strings.CutPrefix(line, reportFailed); ok {
			reason, err := strconv.Unquote(quoted)
			if err != nil {
				reason = quoted
			}
			return errors.New(reason)
		}
		fmt.Fprintln(out, line)
	}
	return errors.Join(errors.New("the supervisor ended without a word"), lines.Err())
}

func newSupervise(c *common) *cobra.Command {
	var flags upFlags
	cmd := &cobra.Command{
		Use:    "supervise",
		Short:  "Hold a bed until SIGTERM; bed up starts this",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return supervise(cmd, c, &flags) },
	}
	flags.bind(cmd)
	return cmd
}

func supervise(cmd *cobra.Command, c *common, flags *upFlags) error {
	const inherited = 3 // The first of ExtraFiles.
	reporter := os.NewFile(inherited, "reporter")
	syscall.CloseOnExec(inherited)
	b, err := bed.Up(cmd.Context(), flags.options(c, reporter))
	if err != nil {
		fmt.Fprintf(reporter, "%s%s\n", reportFailed, strconv.Quote(err.Error()))
		return err
	}
	fmt.Fprintln(reporter, reportUp)
	_ = reporter.Close()
	<-cmd.Context().Done()
	return b.Close()
}

// printState tells how to reach a bed.
func printState(out io.Writer, state *bed.State) {
	fmt.Fprintf(out, "\nThe bed %s is up:\n", state.Name)
	for _, c := range state.Clusters {
		fmt.Fprintf(out, "  %-22s %s  %s\n", c.Name, c.Server, c.Kubeconfig)
	}
	fmt.Fprintf(out, "  %-22s %s\n", "charts", state.ChartsURL)
	fmt.Fprintf(out, "\n  export PATH=%s:$PATH KUBECONFIG=%s\n", state.BinDir, state.Clusters[0].Kubeconfig)
	fmt.Fprintf(out, "  kubectl get namespaces\n\nLogs and data: %s\n", filepath.Clean(state.Dir))
}
