// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/kubectl/fleet"
)

// completionTimeout bounds how long a shell waits for names.
const completionTimeout = 5 * time.Second

// completer returns what a word may be, for the arguments before it. Whoever
// presses a key wants no errors: there are then no names.
type completer func(ctx context.Context, args []string) []string

// withFlags is a completer that also looks at the flags that were typed.
type withFlags func(ctx context.Context, args []string, target string) []string

// at is a completer for the argument of a position.
type at struct {
	position int
	names    completer
}

func argument(position int, names completer) at { return at{position, names} }

// complete returns the completion of arguments.
func (s *session) complete(a at) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) != a.position {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(command, args, typed, a.names)
	}
}

func complete(command *cobra.Command, args []string, typed string, names completer) ([]string, cobra.ShellCompDirective) {
	ctx := command.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	var found []string
	for _, name := range names(ctx, args) {
		if strings.HasPrefix(name, typed) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag gives a flag of a command its completion.
func (s *session) completeFlag(command *cobra.Command, flag string, names completer) {
	// It fails only for a flag that is not there, or that has one already.
	if err := command.RegisterFlagCompletionFunc(flag, func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return complete(command, args, typed, names)
	}); err != nil {
		command.PrintErrln("completion of --"+flag+":", err)
	}
}

// completeOfTarget gives a flag its completion by the target that --target
// names.
func (s *session) completeOfTarget(command *cobra.Command, flag string, names withFlags) {
	s.completeFlag(command, flag, func(ctx context.Context, args []string) []string {
		return names(ctx, args, command.Flags().Lookup("target").Value.String())
	})
}

// completeFlags gives the flags of all commands their completion.
func (s *session) completeFlags(root *cobra.Command) {
	s.completeFlag(root, "namespace", s.namespaceNames)
	s.completeFlag(root, "context", s.contextNames)
	s.completeFlag(root, "color", func(context.Context, []string) []string { return []string{"auto", "always", "never"} })
}

func (s *session) integrationNames(ctx context.Context, _ []string) []string {
	client, namespace, err := s.connect()
	if err != nil {
		return nil
	}
	list, err := client.KsitV1alpha1().Integrations(namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range list.Items {
		names = append(names, i.Name)
	}
	return names
}

func (s *session) targetNames(ctx context.Context, _ []string) []string {
	client, namespace, err := s.connect()
	if err != nil {
		return nil
	}
	list, err := client.KsitV1alpha1().IntegrationTargets(namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	var names []string
	for _, t := range list.Items {
		names = append(names, t.Name)
	}
	return names
}

// integrationOrTarget names Integrations, and targets as target/NAME.
func (s *session) integrationOrTarget(ctx context.Context, args []string) []string {
	names := s.integrationNames(ctx, args)
	for _, target := range s.targetNames(ctx, args) {
		names = append(names, "target/"+target)
	}
	return names
}

// targetsOfArgument names the targets of the Integration that was typed.
func (s *session) targetsOfArgument(ctx context.Context, args []string) []string {
	if len(args) == 0 {
		return s.targetNames(ctx, args)
	}
	client, namespace, err := s.connect()
	if err != nil {
		return nil
	}
	all, err := installations(ctx, client, namespace, args[0], "")
	if err != nil {
		return nil
	}
	var names []string
	for n := range all {
		names = append(names, fleet.TargetName(&all[n]))
	}
	return names
}

// chosen is what a target has to choose from.
type chosen struct{ releases, revisions []string }

func (s *session) choices(ctx context.Context, args []string, target string) chosen {
	var c chosen
	if len(args) == 0 {
		return c
	}
	client, namespace, err := s.connect()
	if err != nil {
		return c
	}
	all, err := installations(ctx, client, namespace, args[0], target)
	if err != nil {
		return c
	}
	for n := range all {
		for _, r := range all[n].Status.Releases {
			if !slices.Contains(c.releases, r.Name) {
				c.releases = append(c.releases, r.Name)
			}
		}
	}
	// The revisions are the target's to tell: of one target.
	if len(all) != 1 {
		return c
	}
	history, err := client.KsitV1alpha1().Installations(namespace).GetHistory(ctx, all[0].Name, metav1.GetOptions{})
	if err != nil {
		return c
	}
	for _, release := range history.Releases {
		for _, r := range release.Revisions {
			c.revisions = append(c.revisions, strconv.FormatInt(r.Revision, 10)+"\t"+release.Name+" "+r.Version+" "+r.Status)
		}
	}
	return c
}

func (s *session) releasesOfArgument(ctx context.Context, args []string, target string) []string {
	return s.choices(ctx, args, target).releases
}

func (s *session) revisionsOfArgument(ctx context.Context, args []string, target string) []string {
	return s.choices(ctx, args, target).revisions
}

func (s *session) namespaceNames(ctx context.Context, _ []string) []string {
	client, err := s.host()
	if err != nil {
		return nil
	}
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}

func (s *session) contextNames(context.Context, []string) []string {
	config, err := s.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil
	}
	var names []string
	for name := range config.Contexts {
		names = append(names, name)
	}
	return names
}
