// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fleet reads what runs where, and lays it out for people.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// Entry is an Integration with its Installations, the worst first.
type Entry struct {
	Integration   v1alpha1.Integration
	Installations []v1alpha1.Installation
}

// perPage bounds what one request brings.
const perPage = 500

// Read returns the Integrations of a namespace, or of all where it is empty, in
// the order of their names; or the one of the name, where that is given.
func Read(ctx context.Context, client versioned.Interface, namespace, name string) ([]Entry, error) {
	var integrations []v1alpha1.Integration
	if name != "" {
		integration, err := client.KsitV1alpha1().Integrations(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		integrations = append(integrations, *integration)
	} else {
		options := metav1.ListOptions{Limit: perPage}
		for {
			page, err := client.KsitV1alpha1().Integrations(namespace).List(ctx, options)
			if err != nil {
				return nil, err
			}
			integrations = append(integrations, page.Items...)
			if options.Continue = page.Continue; options.Continue == "" {
				break
			}
		}
	}
	installations, err := Installations(ctx, client, namespace, name)
	if err != nil {
		return nil, err
	}
	return Join(integrations, installations), nil
}

// Installations returns those of a namespace, or of all where it is empty; of
// one Integration, where that is named.
func Installations(ctx context.Context, client versioned.Interface, namespace, integration string) ([]v1alpha1.Installation, error) {
	options := metav1.ListOptions{Limit: perPage, LabelSelector: selector(integration)}
	var all []v1alpha1.Installation
	for {
		page, err := client.KsitV1alpha1().Installations(namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

func selector(integration string) string {
	if integration == "" {
		return ""
	}
	return labels.Set{v1alpha1.LabelIntegration: integration}.String()
}

// Join puts Installations with their Integrations. Those whose Integration is
// not among the given ones are left out: it went away in between.
func Join(integrations []v1alpha1.Integration, installations []v1alpha1.Installation) []Entry {
	type key struct{ namespace, name string }
	of := map[key][]v1alpha1.Installation{}
	for _, i := range installations {
		k := key{i.Namespace, i.Spec.Integration}
		of[k] = append(of[k], i)
	}
	entries := make([]Entry, 0, len(integrations))
	for _, i := range integrations {
		entry := Entry{Integration: i, Installations: of[key{i.Namespace, i.Name}]}
		slices.SortFunc(entry.Installations, worstFirst)
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Integration.Namespace, b.Integration.Namespace), cmp.Compare(a.Integration.Name, b.Integration.Name))
	})
	return entries
}

func worstFirst(a, b v1alpha1.Installation) int {
	rank := func(i *v1alpha1.Installation) int {
		n := i.PresentPhase().Severity() * 2
		if noteworthy(i) {
			n--
		}
		return n
	}
	return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.TargetKey().String(), b.TargetKey().String()))
}

// noteworthy tells whether there is more to say of an Installation than its
// phase.
func noteworthy(i *v1alpha1.Installation) bool {
	return i.Status.Hold != nil || len(i.Status.Drifted) > 0 || len(i.Status.Unhealthy) > 0
}

// TargetName is how a target is called beside an Installation: with its
// namespace, where that is another one.
func TargetName(i *v1alpha1.Installation) string {
	if ns := i.Spec.TargetNamespace; ns != "" && ns != i.Namespace {
		return ns + "/" + i.Spec.Target
	}
	return i.Spec.Target
}

// Some returns the first names of a list, and how many more there are.
func Some(names []string, most int) string {
	text := ""
	for n, name := range names {
		if n == most {
			return fmt.Sprintf("%s and %d more", text, len(names)-most)
		}
		if n > 0 {
			text += ", "
		}
		text += name
	}
	return text
}
