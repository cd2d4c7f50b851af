// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/test/bed"
)

// namespace is where the manifests of the installation guide put everything.
const namespace = "ksit-system"

// runFlags are the flags of run.
type runFlags struct {
	upFlags
	ksit, artifacts, samples string
	only                     []string
	exitWhenRunning          bool
	timeout                  time.Duration
}

func newRun(c *common) *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Bring up a bed with KSIT on it, install integrations, and stay until interrupted",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), cmd.OutOrStdout(), c, &flags) },
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&flags.ksit, "ksit", "bin/ksit", "The program ksit.")
	cmd.Flags().StringVar(&flags.artifacts, "artifacts", "artifacts/deploy", "The directory of the manifests that register KSIT with a host cluster, by mode.")
	cmd.Flags().StringVar(&flags.samples, "samples", "artifacts/samples", "The directory of the manifests to apply; they name the targets production-cluster-1 and -2.")
	cmd.Flags().StringSliceVar(&flags.only, "only", []string{"argocd", "prometheus", "istio", "flux"}, "The manifests of --samples to apply, without .yaml, in this order.")
	cmd.Flags().BoolVar(&flags.exitWhenRunning, "exit-when-running", false, "Stop everything and exit once all Integrations are Running, with an error if that takes longer than --timeout.")
	cmd.Flags().DurationVar(&flags.timeout, "timeout", 10*time.Minute, "How long the Integrations may take until they are Running.")
	return cmd
}

func run(ctx context.Context, out io.Writer, c *common, flags *runFlags) (err error) {
	begin := time.Now()
	b, err := bed.Up(ctx, flags.options(c, out))
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(out, "stopping everything …")
		if closeErr := b.Close(); err == nil {
			err = closeErr
		}
	}()

	fmt.Fprintln(out, "registering KSIT with the host cluster and starting it …")
	ksit, err := b.StartKSIT(ctx, bed.KSITOptions{Binary: flags.ksit, Artifacts: flags.artifacts})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  the host serves ksit.io after %s\n", time.Since(begin).Round(100*time.Millisecond))
	if err := register(ctx, out, b); err != nil {
		return err
	}
	if err := applySamples(ctx, out, b, flags); err != nil {
		return err
	}
	w, err := newWatch(b, ksit, out, begin)
	if err != nil {
		return err
	}
	if err := w.untilRunning(ctx, flags.timeout); err != nil {
		return err
	}
	if err := showTables(ctx, out, b); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nAll Integrations are Running on %d clusters after %s.\n", len(b.Targets), time.Since(begin).Round(time.Second))
	if flags.exitWhenRunning {
		return nil
	}
	printHints(out, b, ksit)
	select {
	case <-ctx.Done():
		return nil
	case <-ksit.Process.Done():
		return fmt.Errorf("KSIT has ended; its last words:\n%s", ksit.Process.LogTail(10))
	}
}

// register makes the namespace, and the targets known to KSIT.
func register(ctx context.Context, out io.Writer, b *bed.Bed) error {
	err := b.Host.ApplyObjects(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace},
	}})
	if err != nil {
		return err
	}
	for _, target := range b.Targets {
		if err := b.RegisterTarget(ctx, namespace, target); err != nil {
			return err
		}
		fmt.Fprintf(out, "  integrationtarget %s\n", target.Name)
	}
	return nil
}

// applySamples applies the manifests as a user would, with kubectl.
func applySamples(ctx context.Context, out io.Writer, b *bed.Bed, flags *runFlags) error {
	for _, name := range flags.only {
		file := filepath.Join(flags.samples, name+".yaml")
		fmt.Fprintf(out, "kubectl apply -f %s\n", file)
		if err := kubectl(ctx, out, b, "apply", "-f", file); err != nil {
			return err
		}
	}
	return nil
}

func showTables(ctx context.Context, out io.Writer, b *bed.Bed) error {
	for _, resource := range []string{"integrationtargets", "integrations", "installations"} {
		fmt.Fprintf(out, "\n$ kubectl get %s -n %s\n", resource, namespace)
		if err := kubectl(ctx, out, b, "get", resource, "-n", namespace); err != nil {
			return err
		}
	}
	return nil
}

func printHints(out io.Writer, b *bed.Bed, ksit *bed.KSIT) {
	fmt.Fprintf(out, `
To look further, in another terminal:

  export PATH=%s:$PATH
  export KUBECONFIG=%s          # the host, where KSIT's API is
  kubectl get integrations -n %[3]s -w
  kubectl describe integration argocd -n %[3]s
  kubectl explain integration.spec.autoInstall

  export KUBECONFIG=%[4]s       # a target
  helm list -A
  kubectl get pods -A

KSIT's log is %[5]s
Ctrl-C stops everything.
`, b.Tools.BinDir, b.Host.Kubeconfig, namespace, b.Targets[0].Kubeconfig, ksit.Process.LogFile())
}

// kubectl runs the bed's kubectl against the host.
func kubectl(ctx context.Context, out io.Writer, b *bed.Bed, args ...string) error {
	cmd := exec.CommandContext(ctx, b.Tools.Kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.Host.Kubeconfig)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
