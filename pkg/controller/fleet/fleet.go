// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fleet writes now and then, in one line of the log, how all
// Installations and targets are: who reads the last lines of a KSIT at rest shall
// find how things stand, whatever happened long ago.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/report"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

const (
	// first is how soon after its start a process says how things stand: what it
	// connects to anew is connected by then.
	first = 30 * time.Second
	// named is how many of those that are not well are named.
	named = 5
)

// Reporter writes the line.
type Reporter struct {
	Integrations  listers.IntegrationLister
	Installations listers.InstallationLister
	Targets       listers.IntegrationTargetLister
	// Interval is the time between two lines; 0 for none.
	Interval time.Duration
}

// Run writes until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	if r.Interval <= 0 {
		return
	}
	timer := time.NewTimer(min(first, r.Interval))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			r.say(ctx)
			timer.Reset(r.Interval)
		}
	}
}

// say reads the caches, which cannot fail, and writes the line.
func (r *Reporter) say(ctx context.Context) {
	integrations, _ := r.Integrations.List(labels.Everything())
	installations, _ := r.Installations.List(labels.Everything())
	targets, _ := r.Targets.List(labels.Everything())
	s := sumUp(installations, targets)
	fields := []any{"integrations", len(integrations), "installations", s.installations, "healthy", s.healthy, "progressing", s.progressing,
		"disabled", s.disabled, "failed", s.failed, "degraded", s.degraded, "unknown", s.unknown,
		"targets", s.targets, "ready", s.ready, "suspended", s.suspended}
	if len(s.unwell) == 0 {
		report.Good(ctx, s.text(), fields...)
		return
	}
	report.Bad(ctx, s.names(), s.text(), fields...)
}

// sum counts a fleet.
type sum struct {
	installations, healthy, progressing, disabled, failed, degraded, unknown int
	targets, ready, suspended                                                int
	// unwell are those that are not well, in a fixed order.
	unwell []string
}

func sumUp(installations []*v1alpha1.Installation, targets []*v1alpha1.IntegrationTarget) sum {
	s := sum{installations: len(installations), targets: len(targets)}
	sorted := slices.SortedFunc(slices.Values(installations), func(a, b *v1alpha1.Installation) int {
		return cmp.Or(a.PresentPhase().Severity()-b.PresentPhase().Severity(), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, i := range sorted {
		phase := i.PresentPhase()
		count := &s.progressing
		switch phase {
		case v1alpha1.PhaseRunning:
			count = &s.healthy
		case v1alpha1.PhaseDisabled:
			count = &s.disabled
		case v1alpha1.PhaseFailed:
			count = &s.failed
		case v1alpha1.PhaseDegraded:
			count = &s.degraded
		case v1alpha1.PhaseUnknown:
			count = &s.unknown
		}
		*count++
		if count == &s.failed || count == &s.degraded || count == &s.unknown {
			s.unwell = append(s.unwell, fmt.Sprintf("Installation %s/%s is %s", i.Namespace, i.Name, phase))
		}
	}
	ordered := slices.SortedFunc(slices.Values(targets), func(a, b *v1alpha1.IntegrationTarget) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, t := range ordered {
		switch {
		case t.Spec.Suspend:
			s.suspended++
		case t.Status.Ready:
			s.ready++
		default:
			s.unwell = append(s.unwell, fmt.Sprintf("IntegrationTarget %s/%s is not ready", t.Namespace, t.Name))
		}
	}
	return s
}

// text is the message of the line.
func (s sum) text() string {
	text := fmt.Sprintf("Fleet: %d of %d installations are healthy", s.healthy, s.installations)
	for _, rest := range []struct {
		count int
		what  string
	}{{s.progressing, "on their way"}, {s.disabled, "disabled"}, {s.failed, "failed"}, {s.degraded, "degraded"}, {s.unknown, "unknown"}} {
		if rest.count > 0 {
			text += fmt.Sprintf(", %d %s", rest.count, rest.what)
		}
	}
	text += fmt.Sprintf("; %d of %d targets are ready", s.ready, s.targets)
	if s.suspended > 0 {
		text += fmt.Sprintf(", %d suspended", s.suspended)
	}
	return text
}

// names are the first of those that are not well.
func (s sum) names() string {
	text := strings.Join(s.unwell[:min(named, len(s.unwell))], ", ")
	if more := len(s.unwell) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
