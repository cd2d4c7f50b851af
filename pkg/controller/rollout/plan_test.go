// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

var now = time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC)

func ptr[T any](value T) *T { return &value }

// fleet reads clusters from "name:state", with a ! before the state where the
// change has begun, a ? where something must run first, and a partition after a
// slash: "a:!Ready/canary". Those that are Ready have been for a minute.
func fleet(t *testing.T, text string) []Target {
	t.Helper()
	var targets []Target
	for _, word := range strings.Fields(text) {
		name, rest, ok := strings.Cut(word, ":")
		if !ok {
			t.Fatalf("no cluster: %q", word)
		}
		state, ring, _ := strings.Cut(rest, "/")
		state, begun := strings.CutPrefix(state, "!")
		state, blocked := strings.CutPrefix(state, "?")
		target := Target{Name: name, Begun: begun, Blocked: blocked, State: State(state), Labels: map[string]string{"ring": ring}}
		if target.State == Ready {
			target.Since = now.Add(-time.Minute)
		}
		targets = append(targets, target)
	}
	return targets
}

func ring(name string, soak int32) v1alpha1.RolloutPartition {
	return v1alpha1.RolloutPartition{
		Name: name, SoakSeconds: &soak, TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"ring": name}},
	}
}

func TestPlan(t *testing.T) {
	rings := func(all ...v1alpha1.RolloutPartition) *v1alpha1.Rollout { return &v1alpha1.Rollout{Partitions: all} }
	atMost := func(n int32) *v1alpha1.Rollout { return &v1alpha1.Rollout{MaxConcurrent: ptr(intstr.FromInt32(n))} }
	stopAt := func(text string) *v1alpha1.Rollout {
		return &v1alpha1.Rollout{StopAfterFailures: ptr(intstr.Parse(text))}
	}
	for name, tc := range map[string]struct {
		rollout *v1alpha1.Rollout
		fleet   string
		stopped bool
		// waits are the clusters that wait, in their order.
		waits   string
		message string
		why     map[string]string
		after   time.Duration
		is      string
	}{
		"without a rollout all change at once": {fleet: "a:Ready b:Idle c:Unreachable d:!Failed"},
		"without limits all change at once":    {rollout: &v1alpha1.Rollout{}, fleet: "a:Ready b:Idle c:Failed"},
		"the first by name take the slots": {rollout: atMost(2), fleet: "c:Ready a:Ready b:Ready",
			waits: "c", message: "2 of 3 clusters updated; at most 2 change at once",
			why: map[string]string{"c": "its turn in the rollout: at most 2 at once"}},
		"what is under way holds a slot":   {rollout: atMost(2), fleet: "a:!Progressing b:Ready c:Ready", waits: "c"},
		"what is done holds none":          {rollout: atMost(1), fleet: "a:!Ready b:Ready c:Ready", waits: "c"},
		"slots are not given twice":        {rollout: atMost(1), fleet: "a:!Progressing b:!Progressing c:Ready", waits: "c"},
		"a new cluster takes its turn":     {rollout: atMost(1), fleet: "a:!Progressing b:Idle", waits: "b"},
		"a failed one holds no slot":       {rollout: &v1alpha1.Rollout{MaxConcurrent: ptr(intstr.FromInt32(1)), StopAfterFailures: ptr(intstr.FromInt32(2))}, fleet: "a:!Failed b:Ready c:Ready", waits: "c"},
		"an unreachable one holds no slot": {rollout: atMost(1), fleet: "a:!Unreachable b:Ready"},
		"an unreachable one is not begun":  {rollout: atMost(1), fleet: "a:Unreachable b:Ready", waits: "a", message: "1 of 2 clusters updated; the others cannot be reached"},
		"one that is blocked holds no slot": {rollout: atMost(1), fleet: "a:?Ready b:Ready c:Ready", waits: "a c", message: "1 of 3 clusters updated; at most 1 change at once",
			why: map[string]string{"a": "an Integration of spec.dependsOn to be Running there, and then its turn in the rollout"}},
		"one that is blocked is not begun":      {rollout: atMost(9), fleet: "a:?Idle b:!Ready", waits: "a", message: "the others wait for what they depend on"},
		"what is under way is not blocked":      {rollout: atMost(1), fleet: "a:!?Progressing b:Ready", waits: "b"},
		"without a rollout nothing is blocked":  {fleet: "a:?Ready b:?Idle"},
		"an earlier change under way is a slot": {rollout: atMost(1), fleet: "a:Ready b:Progressing", waits: "a"},
		"this change follows an earlier one":    {rollout: atMost(1), fleet: "a:Progressing b:Ready", waits: "b"},
		"it does not follow it everywhere":      {rollout: atMost(1), fleet: "a:Progressing b:Progressing c:Progressing", waits: "b c"},
		"what failed before comes first":        {rollout: atMost(1), fleet: "a:Ready b:Failed", waits: "a"},
		"a percentage is rounded up":            {rollout: &v1alpha1.Rollout{MaxConcurrent: ptr(intstr.FromString("34%"))}, fleet: "a:Ready b:Ready c:Ready d:Ready", waits: "c d"},
		"a small percentage is one":             {rollout: &v1alpha1.Rollout{MaxConcurrent: ptr(intstr.FromString("1%"))}, fleet: "a:Ready b:Ready", waits: "b"},

		"one failure stops it": {rollout: &v1alpha1.Rollout{}, fleet: "a:!Failed b:Ready c:Idle d:!Ready", waits: "b c", is: "stopped",
			message: "2 of 4 clusters updated; rollout stopped after 1 failure, on a: fix it, then change the spec or annotate reconcile",
			why:     map[string]string{"b": "its turn in the rollout, which stopped because the change failed elsewhere"}},
		"it goes on below the limit": {rollout: stopAt("2"), fleet: "a:!Failed b:Ready"},
		"two failures stop it": {rollout: stopAt("2"), fleet: "a:!Failed b:!Failed c:Ready", waits: "c", is: "stopped",
			message: "stopped after 2 failures, on a, b: fix them"},
		"many failures are not all named": {rollout: stopAt("5"), fleet: "a:!Failed b:!Failed c:!Failed d:!Failed e:!Failed f:Ready", waits: "f", is: "stopped",
			message: "stopped after 5 failures, on a, b, c and 2 more: fix them"},
		"a percentage of failures":              {rollout: stopAt("50%"), fleet: "a:!Failed b:!Failed c:Ready d:Ready", waits: "c d", is: "stopped"},
		"fewer than the percentage":             {rollout: stopAt("50%"), fleet: "a:!Failed b:Ready c:Ready d:Ready"},
		"a failure of an earlier change":        {rollout: &v1alpha1.Rollout{}, fleet: "a:Failed b:Ready"},
		"an unreachable one is no failure":      {rollout: &v1alpha1.Rollout{}, fleet: "a:!Unreachable b:Ready"},
		"stopped, it does not go on by itself":  {rollout: &v1alpha1.Rollout{}, fleet: "a:!Ready b:Ready", stopped: true, waits: "b", is: "stopped", message: "a failure that has passed: change the spec or annotate reconcile to go on"},
		"another change begins anew":            {rollout: &v1alpha1.Rollout{}, fleet: "a:Failed b:Ready", stopped: true},
		"nothing is left to stop":               {rollout: &v1alpha1.Rollout{}, fleet: "a:!Failed b:!Ready"},
		"paused":                                {rollout: &v1alpha1.Rollout{Paused: true}, fleet: "a:!Progressing b:Ready", waits: "b", is: "paused", message: "1 of 2 clusters updated; spec.rollout.paused is true"},
		"paused when all is done":               {rollout: &v1alpha1.Rollout{Paused: true}, fleet: "a:!Ready"},
		"a cluster that goes on while stopping": {rollout: &v1alpha1.Rollout{}, fleet: "a:!Failed b:!Progressing c:Progressing", waits: "c", is: "stopped"},

		"the first partition comes first": {rollout: rings(ring("one", 0), ring("two", 0)), fleet: "a:Ready/two b:Ready/one c:Ready d:Ready/one",
			waits: "a c", message: "2 of 4 clusters updated; partition one comes first",
			why: map[string]string{"a": "its turn in the rollout: the partition one comes first", "c": "its turn in the rollout: the partition one comes first"}},
		"the next comes when it is done": {rollout: rings(ring("one", 0), ring("two", 0)), fleet: "a:Ready/two b:!Ready/one c:Ready", waits: "c",
			why: map[string]string{"c": "its turn in the rollout: the partition two comes first"}},
		"what no partition selects comes last":    {rollout: rings(ring("one", 0), ring("two", 0)), fleet: "a:!Ready/two b:!Ready/one c:Ready"},
		"an empty partition holds up nothing":     {rollout: rings(ring("none", 3600), ring("two", 0)), fleet: "a:Ready/two"},
		"an unreachable one holds up nothing":     {rollout: rings(ring("one", 3600), ring("two", 0)), fleet: "a:Unreachable/one b:Ready/two", waits: "a"},
		"one that is blocked is waited for":       {rollout: rings(ring("one", 0)), fleet: "a:?Ready/one b:Ready", waits: "a b", message: "partition one comes first"},
		"the reachable ones are waited for":       {rollout: rings(ring("one", 0)), fleet: "a:Unreachable/one b:!Progressing/one c:Ready", waits: "a c"},
		"one that comes back is waited for again": {rollout: rings(ring("one", 0)), fleet: "a:Ready/one b:!Ready/one c:Ready", waits: "c"},
		"the first that selects it counts":        {rollout: rings(ring("one", 0), v1alpha1.RolloutPartition{Name: "all", TargetSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "ring", Operator: metav1.LabelSelectorOpExists}}}}), fleet: "a:Ready/one b:Ready/two", waits: "b"},
		"a failure holds up the next partition": {rollout: &v1alpha1.Rollout{StopAfterFailures: ptr(intstr.FromInt32(9)), Partitions: []v1alpha1.RolloutPartition{ring("one", 0)}},
			fleet: "a:!Failed/one b:Ready", waits: "b", message: "partition one comes first, and the change failed on a"},
		"slots count over partitions": {rollout: &v1alpha1.Rollout{MaxConcurrent: ptr(intstr.FromInt32(1)), Partitions: []v1alpha1.RolloutPartition{ring("one", 0)}},
			fleet: "a:Ready/one b:Progressing", waits: "a b", message: "at most 1 change at once"},

		"a soak time is waited for": {rollout: rings(ring("one", 90)), fleet: "a:!Ready/one b:Ready", waits: "b", after: 30 * time.Second,
			message: "1 of 2 clusters updated; partition one soaks until 12:00:30 UTC on 2 February",
			why:     map[string]string{"b": "its turn in the rollout: the soak time of the partition one"}},
		"a soak time that is over":            {rollout: rings(ring("one", 60)), fleet: "a:!Ready/one b:Ready"},
		"a soak time that nobody waits for":   {rollout: rings(ring("one", 90)), fleet: "a:!Ready/one b:!Ready"},
		"no soak time before all are through": {rollout: rings(ring("one", 90)), fleet: "a:!Ready/one b:!Progressing/one c:Ready", waits: "c", message: "partition one comes first"},
	} {
		t.Run(name, func(t *testing.T) {
			targets := fleet(t, tc.fleet)
			plan, err := New(tc.rollout, targets, tc.stopped, now)
			if err != nil {
				t.Fatal(err)
			}
			if waits := strings.Join(slices.Sorted(maps.Keys(plan.Waits)), " "); waits != tc.waits {
				t.Errorf("%q wait, want %q", waits, tc.waits)
			}
			if plan.Updated != len(targets)-len(plan.Waits) {
				t.Errorf("updated %d of %d while %d wait", plan.Updated, len(targets), len(plan.Waits))
			}
			if !strings.Contains(plan.Message, tc.message) || (plan.Message == "") != (tc.waits == "") {
				t.Errorf("message %q, want %q", plan.Message, tc.message)
			}
			for name, want := range tc.why {
				if plan.Waits[name] != want {
					t.Errorf("%s waits for %q, want %q", name, plan.Waits[name], want)
				}
			}
			if plan.After != tc.after {
				t.Errorf("after %s, want %s", plan.After, tc.after)
			}
			if plan.Paused != (tc.is == "paused") || plan.Stopped != (tc.is == "stopped") {
				t.Errorf("paused %v, stopped %v; want %q", plan.Paused, plan.Stopped, tc.is)
			}
		})
	}
}

func TestPlanOfABadSelector(t *testing.T) {
	bad := v1alpha1.RolloutPartition{Name: "bad", TargetSelector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}}
	_, err := New(&v1alpha1.Rollout{Partitions: []v1alpha1.RolloutPartition{bad}}, nil, false, now)
	if err == nil || !strings.Contains(err.Error(), "partition bad") {
		t.Errorf("error %v", err)
	}
}

func TestTextsFitTheirFields(t *testing.T) {
	long := strings.Repeat("x", 63)
	for _, states := range []string{"a:!Progressing/%s b:Ready", "a:!Failed/%s b:Ready", "a:!Ready/%s b:Ready", "a:Unreachable/%s b:Ready"} {
		for _, limit := range []int32{1, 2} {
			rollout := &v1alpha1.Rollout{
				MaxConcurrent: ptr(intstr.FromInt32(2147483647)), StopAfterFailures: ptr(intstr.FromInt32(limit)),
				Partitions: []v1alpha1.RolloutPartition{ring(long, 604800)},
			}
			plan, err := New(rollout, fleet(t, fmt.Sprintf(states, long)), false, now)
			if err != nil || len(plan.Waits) == 0 {
				t.Fatalf("%s: %v, error %v", states, plan, err)
			}
			for name, text := range plan.Waits {
				if len(text) > v1alpha1.MaxWaitsFor {
					t.Errorf("%s: the text of %s has %d bytes", states, name, len(text))
				}
			}
		}
	}
}
