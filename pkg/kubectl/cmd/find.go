// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

// reference names an Integration or an IntegrationTarget on the command line.
type reference struct {
	target bool
	name   string
}

// parseReference reads NAME, integration/NAME or target/NAME.
func parseReference(text string) (reference, error) {
	kind, name, qualified := strings.Cut(text, "/")
	if !qualified {
		return reference{name: text}, checkName(text)
	}
	switch strings.ToLower(kind) {
	case "integration", "integrations", "intg", "integrations.ksit.io", "integration.ksit.io":
		return reference{name: name}, checkName(name)
	case "target", "targets", "integrationtarget", "integrationtargets", "itgt", "integrationtargets.ksit.io", "integrationtarget.ksit.io":
		return reference{target: true, name: name}, checkName(name)
	default:
		return reference{}, fmt.Errorf("%q is neither an INTEGRATION nor target/NAME", text)
	}
}

// checkName refuses what cannot be the name of an Integration or of a target,
// before a server is asked.
func checkName(name string) error {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return fmt.Errorf("%q is no name of an object: %s", name, problems[0])
	}
	return nil
}

// namesShown bounds the names in a message.
const namesShown = 10

// installations returns those of an Integration in a namespace, all or on one
// target, sorted by target. There is at least one.
func installations(ctx context.Context, client versioned.Interface, namespace, integration, target string) ([]v1alpha1.Installation, error) {
	if err := checkName(integration); err != nil {
		return nil, err
	}
	// A label holds less than a name: that no label can be of it, nobody has to be asked.
	if len(integration) > validation.LabelValueMaxLength {
		return nil, fmt.Errorf("%q is no name of an Integration: must be no more than %d characters", integration, validation.LabelValueMaxLength)
	}
	all, err := fleet.Installations(ctx, client, namespace, integration)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b v1alpha1.Installation) int {
		return strings.Compare(a.TargetKey().String(), b.TargetKey().String())
	})
	if len(all) == 0 {
		if _, err := client.KsitV1alpha1().Integrations(namespace).Get(ctx, integration, metav1.GetOptions{}); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("Integration %s/%s is on no target yet", namespace, integration)
	}
	if target == "" {
		return all, nil
	}
	var names []string
	for i := range all {
		if key := all[i].TargetKey(); target == fleet.TargetName(&all[i]) || target == key.String() {
			return all[i : i+1], nil
		}
		names = append(names, fleet.TargetName(&all[i]))
	}
	return nil, fmt.Errorf("Integration %s/%s is not on a target %q; it is on %s", namespace, integration, target, fleet.Some(names, namesShown))
}

// installation returns the only one, or the one on a target.
func installation(ctx context.Context, client versioned.Interface, namespace, integration, target string) (*v1alpha1.Installation, error) {
	all, err := installations(ctx, client, namespace, integration, target)
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		var names []string
		for i := range all {
			names = append(names, fleet.TargetName(&all[i]))
		}
		return nil, fmt.Errorf("Integration %s/%s is on %d targets: say which one with --target: %s", namespace, integration, len(all), fleet.Some(names, namesShown))
	}
	return &all[0], nil
}

// installationOn returns the Installation of the Integration that is the argument
// of a command: the only one, or the one on a target.
func (s *session) installationOn(ctx context.Context, args []string, target string) (versioned.Interface, *v1alpha1.Installation, error) {
	integration, err := integrationArgument(args)
	if err != nil {
		return nil, nil, err
	}
	client, namespace, err := s.connect()
	if err != nil {
		return nil, nil, err
	}
	found, err := installation(ctx, client, namespace, integration, target)
	return client, found, err
}

// integrationArgument is the reference to an Integration that a command takes.
func integrationArgument(args []string) (string, error) {
	ref, err := parseReference(args[0])
	if err == nil && ref.target {
		err = fmt.Errorf("%q is a target: name an INTEGRATION", args[0])
	}
	return ref.name, err
}
