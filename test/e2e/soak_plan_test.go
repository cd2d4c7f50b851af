// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What happens in a soak.
const (
	soakKill       = "kill KSIT"
	soakServerDown = "kill the API server of a target"
	soakServerUp   = "start the API server of a target"
	soakFreeze     = "freeze the network of a target"
	soakRefuse     = "refuse connections to a target"
	soakPass       = "let the network of a target pass"
	soakCut        = "cut the connections to a target"
	soakChange     = "change a spec"
	soakDisable    = "disable"
	soakEnable     = "enable"
	soakDelete     = "delete"
	soakCreate     = "create again"
	soakRetarget   = "change the targets"
	soakDrift      = "change or delete an object by hand"
)

const (
	soakApps    = 20
	soakTargets = 2
	// The last apps are deleted for good.
	soakDeleted = 2
)

// soakKinds are what is drawn, and how often.
var soakKinds = []struct {
	what string
	// weight is how often it is drawn, among the others.
	weight int
	// end is what ends it, if anything does.
	end string
	// subject is what it happens to. What goes on there goes on alone.
	subject func(soakEvent) string
}{
	{soakKill, 2, "", func(soakEvent) string { return "KSIT" }},
	{soakServerDown, 2, soakServerUp, soakEvent.server},
	{soakFreeze, 3, soakPass, soakEvent.network},
	{soakRefuse, 2, soakPass, soakEvent.network},
	{soakCut, 2, "", soakEvent.network},
	{soakChange, 12, "", soakEvent.spec},
	{soakDisable, 1, soakEnable, soakEvent.spec},
	{soakDelete, 2, soakCreate, soakEvent.spec},
	{soakRetarget, 3, "", soakEvent.spec},
	{soakDrift, 5, "", soakEvent.spec},
}

// soakEvent is something that happens in a soak.
type soakEvent struct {
	at     time.Duration
	what   string
	app    int
	target int
	// number is another one for each event.
	number int
}

func (e soakEvent) server() string  { return fmt.Sprintf("server %d", e.target) }
func (e soakEvent) network() string { return fmt.Sprintf("network %d", e.target) }
func (e soakEvent) spec() string    { return fmt.Sprintf("app %d", e.app) }

// soakPlan draws all that happens in a soak before it begins, so that a seed
// says all of it, however fast the machine is. What begins also ends, and at the
// end of the plan nothing is broken any more.
func soakPlan(random *rand.Rand, length time.Duration) []soakEvent {
	var plan []soakEvent
	total := 0
	for _, kind := range soakKinds {
		total += kind.weight
	}
	busy := map[string]time.Duration{}
	for n := range soakDeleted {
		gone := soakEvent{at: length * 6 / 10, what: soakDelete, app: soakApps - 1 - n}
		plan = append(plan, gone)
	}
	number := 0
	for at := time.Duration(0); at < length; at += time.Duration(500+random.IntN(3500)) * time.Millisecond {
		number++
		event := soakEvent{at: at, app: random.IntN(soakApps), target: random.IntN(soakTargets), number: number}
		lasts := time.Duration(1000+random.IntN(20000)) * time.Millisecond
		drawn := random.IntN(total)
		kind := soakKinds[0]
		for _, kind = range soakKinds {
			if drawn -= kind.weight; drawn < 0 {
				break
			}
		}
		event.what = kind.what
		subject := kind.subject(event)
		doomed := subject == event.spec() && event.app >= soakApps-soakDeleted && at+lasts >= length*6/10
		if at < busy[subject] || doomed {
			continue
		}
		plan = append(plan, event)
		if kind.end != "" {
			busy[subject] = at + lasts
			plan = append(plan, soakEvent{at: min(at+lasts, length), what: kind.end, app: event.app, target: event.target, number: number})
		}
	}
	slices.SortStableFunc(plan, func(a, b soakEvent) int { return cmp.Compare(a.at, b.at) })
	return plan
}

// TestSoakPlan checks of many plans that they can be replayed and leave nothing
// broken.
func TestSoakPlan(t *testing.T) {
	ends := map[string]string{}
	for _, kind := range soakKinds {
		if kind.end != "" {
			ends[kind.what] = kind.end
		}
	}
	for seed := range uint64(100) {
		draw := func() []soakEvent { return soakPlan(rand.New(rand.NewPCG(seed, seed)), 3*time.Minute) }
		plan := draw()
		if !slices.Equal(plan, draw()) {
			t.Fatalf("seed %d: two plans", seed)
		}
		open, deleted := map[string]int{}, 0
		for _, event := range plan {
			switch end, begins := ends[event.what]; {
			case event.what == soakDelete && event.number == 0:
				deleted++
			case begins:
				open[fmt.Sprint(end, event.number)]++
			case event.what == soakServerUp || event.what == soakPass || event.what == soakEnable || event.what == soakCreate:
				open[fmt.Sprint(event.what, event.number)]--
			}
		}
		for what, count := range open {
			if count != 0 {
				t.Errorf("seed %d: %q is left at %d", seed, what, count)
			}
		}
		if deleted != soakDeleted {
			t.Errorf("seed %d: %d are deleted for good", seed, deleted)
		}
	}
}
