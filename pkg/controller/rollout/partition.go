// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/pace"
)

// group is a partition with its clusters. The last group has no name, and the
// clusters that no partition selects.
type group struct {
	name    string
	soak    time.Duration
	targets []Target
}

// isBlocked tells whether a cluster of the group only waits for what must run there
// first.
func (g group) isBlocked() bool {
	return slices.ContainsFunc(g.targets, func(t Target) bool { return t.Blocked && !t.Begun && t.State != Unreachable })
}

// partition puts every cluster into the first partition that selects it.
func partition(partitions []v1alpha1.RolloutPartition, targets []Target) ([]group, error) {
	groups := make([]group, len(partitions)+1)
	selectors := make([]labels.Selector, len(partitions))
	for i, p := range partitions {
		selector, err := metav1.LabelSelectorAsSelector(p.TargetSelector)
		if err != nil {
			return nil, fmt.Errorf("reading targetSelector of partition %s: %w", p.Name, err)
		}
		selectors[i] = selector
		groups[i] = group{name: p.Name, soak: pace.Seconds(p.SoakSeconds, 0)}
	}
	for _, t := range targets {
		at := 0
		for at < len(selectors) && !selectors[at].Matches(labels.Set(t.Labels)) {
			at++
		}
		groups[at].targets = append(groups[at].targets, t)
	}
	return groups, nil
}

// gate is why what comes after a group must wait.
type gate struct {
	// waits is for the clusters that wait, and does not change while they do;
	// why names what a person would look at.
	waits, why string
	// strong is whether why tells more than that there is work to do.
	strong bool
	// until is when a soak time is over.
	until time.Time
}

// gate returns nil when every cluster of the group that can be reached runs the
// change and has soaked. A group without such clusters has nothing to soak.
func (g group) gate(now time.Time) *gate {
	var until time.Time
	var failed string
	complete := true
	for _, t := range g.targets {
		switch {
		case t.State == Unreachable:
		case t.Begun && t.State == Ready:
			if end := t.Since.Add(g.soak); end.After(until) {
				until = end
			}
		default:
			complete = false
			if t.Begun && t.State == Failed && failed == "" {
				failed = t.Name
			}
		}
	}
	first := fmt.Sprintf("the partition %s comes first", g.name)
	switch {
	case failed != "":
		return &gate{waits: first + ", and the change failed there", strong: true,
			why: fmt.Sprintf("partition %s comes first, and the change failed on %s", g.name, failed)}
	case !complete:
		return &gate{waits: first, why: fmt.Sprintf("partition %s comes first", g.name)}
	case until.After(now):
		return &gate{waits: fmt.Sprintf("the soak time of the partition %s", g.name), strong: true, until: until,
			why: fmt.Sprintf("partition %s soaks until %s", g.name, until.UTC().Format("15:04:05 MST on 2 January"))}
	default:
		return nil
	}
}
