// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// reasonNotAllowed is that of a target that may not be used.
	reasonNotAllowed = "NotAllowed"
	// namedRefusals is how many targets a message about rights names.
	namedRefusals = 5
	// refusedAgain and unansweredAgain are when it is asked again.
	refusedAgain    = time.Minute
	unansweredAgain = 10 * time.Second
)

// refusal is a target that may not be used, and why.
type refusal struct{ target, why string }

// rights are what an Integration may not do. All are sorted by target.
type rights struct {
	// refused are targets that it asks for and is not on: nothing is made there.
	refused []refusal
	// unanswered are those of which nobody could say: nothing is made there yet.
	unanswered []string
	// withdrawn are targets that it is on, and that do not admit its namespace
	// any more. What is installed there stays.
	withdrawn []string
}

func (r rights) refuses() bool { return len(r.refused)+len(r.withdrawn) > 0 }

// again is when the rights are to be looked at again; 0 for when something
// changes.
func (r rights) again() time.Duration {
	switch {
	case len(r.unanswered) > 0:
		return unansweredAgain
	case len(r.refused) > 0:
		return refusedAgain
	default:
		return 0
	}
}

// text says what may not be used, and what is to be done about it; empty where
// there is nothing to say.
func (r rights) text() string {
	var parts []string
	if n := len(r.refused); n > 0 {
		lines := make([]string, 0, namedRefusals)
		for _, refused := range r.refused[:min(n, namedRefusals)] {
			lines = append(lines, refused.target+" ("+refused.why+")")
		}
		parts = append(parts, "not installed, for want of rights, on "+strings.Join(lines, ", ")+more(n))
	}
	if n := len(r.withdrawn); n > 0 {
		parts = append(parts, "no longer admitted by "+strings.Join(r.withdrawn[:min(n, namedRefusals)], ", ")+more(n)+
			": what is installed there stays as it is; drop the target, or have its spec.tenancy.allowedNamespaces admit this namespace")
	}
	if n := len(r.unanswered); n > 0 {
		parts = append(parts, "the host cluster did not say who may use "+strings.Join(r.unanswered[:min(n, namedRefusals)], ", ")+more(n)+": it is asked again")
	}
	return strings.Join(parts, "; ")
}

func more(n int) string {
	if n <= namedRefusals {
		return ""
	}
	return fmt.Sprintf(" and %d more", n-namedRefusals)
}

// total counts what is asked for, whether it may be used or not.
func (s selection) total() int {
	return len(s.targets) + len(s.rights.refused) + len(s.rights.unanswered)
}

// without returns the selection without what may not be used.
func (s selection) without(found rights) selection {
	slices.SortFunc(found.refused, func(a, b refusal) int { return cmp.Compare(a.target, b.target) })
	slices.Sort(found.unanswered)
	slices.Sort(found.withdrawn)
	out := map[string]bool{}
	for _, refused := range found.refused {
		out[refused.target] = true
	}
	for _, target := range found.unanswered {
		out[target] = true
	}
	s.targets = slices.DeleteFunc(slices.Clone(s.targets), func(target string) bool { return out[target] })
	s.rights = found
	return s
}

// tellOfRights writes an event when something new may not be used.
func (c *Controller) tellOfRights(before, after *v1alpha1.Integration) {
	now := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionTargetsAllowed)
	if now == nil || now.Status != metav1.ConditionFalse {
		return
	}
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionTargetsAllowed)
	if was == nil || was.Status != now.Status || was.Message != now.Message {
		c.Events.Eventf(after, nil, "Warning", reasonNotAllowed, "Reconcile", "%s", now.Message)
	}
}
