// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestRandomFleets runs rollouts over random fleets, whose clusters take their
// time, fail, go away and come back, and checks after every step what must hold.
func TestRandomFleets(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSimulation(rand.New(rand.NewPCG(seed, 1)))
			for range 400 {
				s.step(t)
			}
			s.settle()
			for range 20 * len(s.targets) {
				s.step(t)
			}
			s.finished(t)
		})
	}
}

// simulation is a fleet in the middle of a rollout.
type simulation struct {
	random  *rand.Rand
	rollout *v1alpha1.Rollout
	limit   int
	targets []Target
	// away is how a cluster was before it became unreachable.
	away map[string]State
	now  time.Time
	// failures is the chance, in percent, that a change fails.
	failures int
	stopped  bool
	calm     bool
}

func newSimulation(random *rand.Rand) *simulation {
	s := &simulation{random: random, now: now, away: map[string]State{}, failures: []int{0, 0, 5, 30}[random.IntN(4)]}
	s.limit = 1 + random.IntN(5)
	s.rollout = &v1alpha1.Rollout{
		MaxConcurrent:     ptr(intstr.FromInt32(int32(s.limit))),
		StopAfterFailures: ptr(intstr.FromInt32(int32(1 + random.IntN(3)))),
		Partitions:        []v1alpha1.RolloutPartition{ring("one", int32(random.IntN(120))), ring("two", int32(random.IntN(120)))}[:random.IntN(3)],
	}
	states := []State{Idle, Ready, Ready, Failed, Progressing, Unreachable}
	for i := range 1 + random.IntN(20) {
		s.targets = append(s.targets, Target{
			Name: fmt.Sprintf("c%02d", i), State: states[random.IntN(len(states))],
			Labels: map[string]string{"ring": []string{"one", "two", "three"}[random.IntN(3)]},
		})
	}
	return s
}

func (s *simulation) step(t *testing.T) {
	t.Helper()
	plan, err := New(s.rollout, s.targets, s.stopped, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.inOrder(t, plan)
	before, mine := s.progressing(false), s.progressing(true)
	began := 0
	for i := range s.targets {
		target := &s.targets[i]
		if _, waits := plan.Waits[target.Name]; waits || target.Begun {
			continue
		}
		began++
		if target.State == Unreachable {
			t.Fatalf("%s begins, and cannot be reached", target.Name)
		}
		target.Begun, target.State = true, Progressing
	}
	if s.stopped && began > 0 {
		t.Fatalf("%d clusters begin after the rollout stopped", began)
	}
	if after := s.progressing(false); after > max(before, s.limit) {
		t.Fatalf("something goes on on %d clusters, on %d before; at most %d should", after, before, s.limit)
	}
	if after := s.progressing(true); after > max(mine, s.limit) {
		t.Fatalf("%d change at once, %d before; at most %d should", after, mine, s.limit)
	}
	s.stopped = plan.Stopped
	s.live()
}

// inOrder checks that nothing begins in a partition while a cluster of an
// earlier one that can be reached does not run the change, or has not soaked.
func (s *simulation) inOrder(t *testing.T, plan Plan) {
	t.Helper()
	for _, target := range s.targets {
		if _, waits := plan.Waits[target.Name]; waits || target.Begun {
			continue
		}
		for _, earlier := range s.targets {
			at := s.partitionOf(earlier)
			if at >= s.partitionOf(target) || earlier.State == Unreachable {
				continue
			}
			soak := time.Duration(*s.rollout.Partitions[at].SoakSeconds) * time.Second
			if !earlier.Begun || earlier.State != Ready || earlier.Since.Add(soak).After(s.now) {
				t.Fatalf("%s begins before its turn: %+v", target.Name, earlier)
			}
		}
	}
}

func (s *simulation) partitionOf(target Target) int {
	for i, p := range s.rollout.Partitions {
		if p.Name == target.Labels["ring"] {
			return i
		}
	}
	return len(s.rollout.Partitions)
}

// progressing counts the clusters on which something goes on, or this change.
func (s *simulation) progressing(change bool) int {
	n := 0
	for _, target := range s.targets {
		if target.State == Progressing && (target.Begun || !change) {
			n++
		}
	}
	return n
}

// live lets time pass: changes end, clusters go away and come back.
func (s *simulation) live() {
	s.now = s.now.Add(time.Duration(1+s.random.IntN(60)) * time.Second)
	for i := range s.targets {
		target := &s.targets[i]
		switch {
		case target.State == Unreachable && (s.calm || s.random.IntN(5) == 0):
			target.State = Idle
			if was, known := s.away[target.Name]; known {
				target.State = was
			}
			target.Since = s.now
		case !s.calm && target.State != Unreachable && s.random.IntN(30) == 0:
			s.away[target.Name], target.State = target.State, Unreachable
		case target.State == Progressing && s.random.IntN(3) == 0:
			target.State, target.Since = Ready, s.now
			if s.random.IntN(100) < s.failures {
				target.State = Failed
			}
		}
	}
}

// settle ends all trouble, and somebody annotates reconcile: what failed is
// tried again.
func (s *simulation) settle() {
	s.calm, s.failures, s.stopped = true, 0, false
	for i := range s.targets {
		if target := &s.targets[i]; target.Begun && target.State == Failed {
			target.State = Progressing
		}
		if s.away[s.targets[i].Name] == Failed {
			s.away[s.targets[i].Name] = Ready
		}
	}
}

func (s *simulation) finished(t *testing.T) {
	t.Helper()
	for _, target := range s.targets {
		if !target.Begun || target.State != Ready {
			t.Errorf("%s was not updated in the end: %+v", target.Name, target)
		}
	}
}
