// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

type manifestOptions struct {
	*session
	target, release, output string
	revision                int64
	values                  bool
}

func (s *session) manifestCommand() *cobra.Command {
	o := &manifestOptions{session: s}
	command := &cobra.Command{
		Use:               "manifest INTEGRATION --target TARGET",
		Short:             "Print what is installed on a target",
		Long:              "Prints the objects of each release on a target as YAML, read from there now. What is in Secrets is replaced.",
		Example:           "  kubectl ksit manifest web --target production-cluster-2 --revision 3",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.integrationNames)),
		RunE:              func(command *cobra.Command, args []string) error { return o.run(command.Context(), args) },
	}
	flags := command.Flags()
	flags.StringVar(&o.target, "target", "", "The target; may be left out where there is one only.")
	flags.StringVar(&o.release, "release", "", "Only this release.")
	flags.Int64Var(&o.revision, "revision", 0, "This revision, instead of what is installed.")
	flags.BoolVar(&o.values, "values", false, "Print the values that were given to the charts, instead of the objects.")
	flags.StringVarP(&o.output, "output", "o", "", "json or yaml: the whole answer, instead of the objects.")
	s.completeFlag(command, "target", s.targetsOfArgument)
	s.completeOfTarget(command, "revision", s.revisionsOfArgument)
	s.completeOfTarget(command, "release", s.releasesOfArgument)
	return command
}

func (o *manifestOptions) run(ctx context.Context, args []string) error {
	if err := checkOutput(o.output, outputJSON, outputYAML); err != nil {
		return err
	}
	if o.revision < 0 {
		return fmt.Errorf("--revision is %d, it must be 1 or more, or left out", o.revision)
	}
	client, i, err := o.installationOn(ctx, args, o.target)
	if err != nil {
		return err
	}
	if o.revision > 0 && o.release == "" && len(i.Status.Releases) > 1 {
		var names []string
		for _, r := range i.Status.Releases {
			names = append(names, r.Name)
		}
		return errors.New("there are several releases: say of which one the revision is, with --release: " + strings.Join(names, ", "))
	}
	var manifest v1alpha1.InstallationManifest
	err = client.KsitV1alpha1().RESTClient().Get().Namespace(i.Namespace).Resource("installations").Name(i.Name).SubResource("manifest").
		VersionedParams(&v1alpha1.InstallationManifestOptions{Release: o.release, Revision: o.revision}, scheme.ParameterCodec).
		Do(ctx).Into(&manifest)
	if err != nil {
		return err
	}
	if o.output != "" {
		return printObjects(o.Out, o.output, true, &manifest)
	}
	return o.print(manifest.Releases)
}

func (o *manifestOptions) print(releases []v1alpha1.ReleaseManifest) error {
	for _, r := range releases {
		comment := fmt.Sprintf("# %s in %s", r.Name, r.Namespace)
		if r.Revision > 0 {
			comment += fmt.Sprintf(", revision %d", r.Revision)
		}
		if r.Chart != "" {
			comment += fmt.Sprintf(": %s %s", r.Chart, r.Version)
		}
		text := r.Manifest
		if o.values {
			text = r.Values
		}
		text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(terminal.CleanLines(text)), "---"))
		if _, err := fmt.Fprintf(o.Out, "---\n%s\n%s\n", terminal.Clean(strings.TrimSpace(comment)), text); err != nil {
			return err
		}
		if r.Truncated && !o.values {
			o.warn("the manifest of %s is cut: it is larger than %d bytes", r.Name, v1alpha1.MaxManifest)
		}
	}
	return nil
}
