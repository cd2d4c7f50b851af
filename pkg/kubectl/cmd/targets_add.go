// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"ksit.io/ksit/pkg/kubectl/enroll"
)

// addOptions are the flags of targets add. Those that kubectl has for the
// cluster it talks to mean the target here; the host has flags of its own.
type addOptions struct {
	*session
	kubeconfig, context         string
	hostKubeconfig, hostContext string
	clusterName                 string
	labels                      []string
	mint                        bool
	account                     enroll.Account
	impersonation               enroll.Impersonation
	insecure                    bool
	overwrite, dryRun, wait     bool
	timeout                     time.Duration
	output                      string
}

func (s *session) targetsAddCommand() *cobra.Command {
	o := &addOptions{session: s}
	command := &cobra.Command{
		Use:   "add NAME --kubeconfig FILE",
		Short: "Make a cluster a target",
		Long: "Makes the cluster of a kubeconfig a target: tries the connection, stores the kubeconfig in a Secret, with the files that it " +
			"refers to inside, makes the IntegrationTarget, and waits until it is ready.\n\n" +
			"With --mint-service-account your own credentials, also such as only a program on this machine can get, are used once, to make a " +
			"service account on the target; only its token is stored.\n\n" +
			"--kubeconfig and --context are those of the target here. The host cluster is that of KUBECONFIG, --host-kubeconfig and --host-context.",
		Example: "  kubectl ksit targets add eu-1 --kubeconfig eu-1.kubeconfig --label region=eu -n ksit-system\n" +
			"  kubectl ksit targets add eu-2 --kubeconfig ~/.kube/config --context eu-2 --mint-service-account --token-duration 720h",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return o.run(command.Context(), args[0]) },
	}
	flags := command.Flags()
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "The kubeconfig of the target.")
	flags.StringVar(&o.context, "context", "", "The context of that kubeconfig; the current one by default.")
	flags.StringVar(&o.hostKubeconfig, "host-kubeconfig", "", "The kubeconfig of the host cluster.")
	flags.StringVar(&o.hostContext, "host-context", "", "The context of the host cluster.")
	flags.StringVar(&o.clusterName, "cluster-name", "", "The name of the cluster; NAME by default.")
	flags.StringArrayVar(&o.labels, "label", nil, "A label of the target, as key=value; may be given several times.")
	flags.BoolVar(&o.mint, "mint-service-account", false, "Make a service account on the target, and store its token instead of the credentials of the kubeconfig.")
	flags.StringVar(&o.account.Namespace, "sa-namespace", "ksit", "The namespace of the service account on the target.")
	flags.StringVar(&o.account.ClusterRole, "cluster-role", "cluster-admin", "The ClusterRole that the service account gets.")
	flags.DurationVar(&o.account.TokenDuration, "token-duration", 30*24*time.Hour, "How long the token of the service account is valid; add the target again with --overwrite to renew it.")
	flags.StringSliceVar(&o.impersonation.Users, "impersonate-users", nil, "Also let KSIT act on the target as these users, for kubectl ksit proxy and for tenants; * for all.")
	flags.StringSliceVar(&o.impersonation.Groups, "impersonate-groups", nil, "The groups of those users; * for all, which is as good as cluster-admin.")
	flags.BoolVar(&o.insecure, "allow-insecure", false, "Take a kubeconfig with insecure-skip-tls-verify; KSIT takes it with --allow-insecure-targets only.")
	flags.BoolVar(&o.overwrite, "overwrite", false, "Replace the credentials of a target that is there.")
	flags.BoolVar(&o.dryRun, "dry-run", false, "Say what would be done, and do nothing.")
	flags.BoolVar(&o.wait, "wait", true, "Wait until the target is ready.")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "How long --wait waits.")
	flags.StringVarP(&o.output, "output", "o", "", "yaml or json: print the objects instead of making them; the credentials are left out.")
	return command
}

func (o *addOptions) run(ctx context.Context, name string) error {
	if err := o.check(name); err != nil {
		return err
	}
	set, err := labels.ConvertSelectorToLabelsMap(joinLabels(o.labels))
	if err != nil {
		return fmt.Errorf("--label: %w", err)
	}
	*o.flags.KubeConfig, *o.flags.Context = o.hostKubeconfig, o.hostContext
	namespace, err := o.namespace()
	if err != nil {
		return err
	}
	a := &adding{
		addOptions: o,
		target:     enroll.Target{Namespace: namespace, Name: name, ClusterName: o.clusterName, Labels: set},
	}
	return a.run(ctx)
}

func joinLabels(all []string) string {
	text := ""
	for n, label := range all {
		if n > 0 {
			text += ","
		}
		text += label
	}
	return text
}

// check finds what is wrong before a cluster is asked.
func (o *addOptions) check(name string) error {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return fmt.Errorf("%q cannot be the name of a target: %s", name, problems[0])
	}
	if o.clusterName != "" {
		if problems := validation.IsDNS1123Label(o.clusterName); len(problems) > 0 {
			return fmt.Errorf("--cluster-name is %q: %s", o.clusterName, problems[0])
		}
	}
	if err := checkOutput(o.output, outputYAML, outputJSON); err != nil {
		return err
	}
	if o.kubeconfig == "" {
		return errors.New("give the kubeconfig of the target with --kubeconfig")
	}
	if o.timeout <= 0 {
		return fmt.Errorf("--timeout is %s, it must be more than 0", o.timeout)
	}
	if !o.mint {
		return nil
	}
	// Kubernetes gives no token for less.
	if o.account.TokenDuration < 10*time.Minute {
		return fmt.Errorf("--token-duration is %s, it must be 10m or more", o.account.TokenDuration)
	}
	if problems := validation.IsDNS1123Label(o.account.Namespace); len(problems) > 0 {
		return fmt.Errorf("--sa-namespace is %q: %s", o.account.Namespace, problems[0])
	}
	if problems := path.IsValidPathSegmentName(o.account.ClusterRole); len(problems) > 0 || o.account.ClusterRole == "" {
		return fmt.Errorf("--cluster-role %q is no name of a ClusterRole", o.account.ClusterRole)
	}
	return nil
}
