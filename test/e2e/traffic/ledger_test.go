// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func written(name string, count int) v1alpha1.Integration {
	o := integration("ns", name)
	o.Annotations[countKey] = strconv.Itoa(count)
	return *o
}

// TestLedger makes sure that what is lost is noticed: a test that reports no loss
// proves nothing otherwise.
func TestLedger(t *testing.T) {
	terminating := written("b", 1)
	terminating.DeletionTimestamp = &metav1.Time{}
	steps := map[string]struct {
		// unsure adds a write to a whose answer is lost.
		unsure bool
		there  []v1alpha1.Integration
		unseen bool
		// relists has the watch begin anew with a list.
		relists bool
		wants   string
	}{
		"as acknowledged":              {there: []v1alpha1.Integration{written("a", 2)}},
		"deletion under way":           {there: []v1alpha1.Integration{written("a", 2), terminating}},
		"lost":                         {wants: "a: it was acknowledged, and is lost"},
		"older":                        {there: []v1alpha1.Integration{written("a", 1)}, wants: "a: its count is 1"},
		"newer than anybody asked for": {there: []v1alpha1.Integration{written("a", 3)}, wants: "a: its count is 3"},
		"unsure, and done":             {unsure: true, there: []v1alpha1.Integration{written("a", 3)}},
		"unsure, and not done":         {unsure: true, there: []v1alpha1.Integration{written("a", 2)}},
		"back from the dead":           {there: []v1alpha1.Integration{written("a", 2), written("b", 1)}, wants: "b: its deletion was acknowledged"},
		"seen in a list":               {there: []v1alpha1.Integration{written("a", 2)}, unseen: true, relists: true},
		"not seen":                     {there: []v1alpha1.Integration{written("a", 2)}, unseen: true, wants: "a, watched by way of the route: count 2 was not seen"},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			l.watched("route")
			events := []v1alpha1.Integration{written("a", 1), written("b", 1)}
			if !step.unseen {
				events = append(events, written("a", 2))
			}
			for i := range events {
				l.sees("route", &events[i], false)
			}
			for _, write := range []struct {
				name  string
				count int
			}{{"a", 1}, {"a", 2}, {"b", 1}} {
				l.asks(write.name, write.count)
				l.acknowledged(write.name, write.count)
			}
			l.asksDeletion("b")
			l.acknowledgedDeletion("b")
			l.sees("route", &terminating, true)
			if step.unsure {
				l.asks("a", 3)
			}
			if step.relists {
				l.relists("route", step.there)
			}
			err := l.check(step.there)
			if step.wants == "" && err != nil || step.wants != "" && (err == nil || !strings.Contains(err.Error(), step.wants)) {
				t.Errorf("it says %v, and should say %q", err, step.wants)
			}
		})
	}
}
