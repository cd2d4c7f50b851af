// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestSlots(t *testing.T) {
	var s slots
	slow, quick, third := types.NamespacedName{Name: "slow"}, types.NamespacedName{Name: "quick"}, types.NamespacedName{Name: "third"}
	take := func(target types.NamespacedName, want bool) func() {
		t.Helper()
		release, ok := s.take(target, target, 4)
		if ok != want {
			t.Fatalf("a slot on %s: %v, want %v", target.Name, ok, want)
		}
		return release
	}
	first, second := take(slow, true), take(slow, true)
	take(slow, false)
	take(quick, true)
	last := take(third, true)
	take(quick, false)
	// Given back twice, it counts once.
	last()
	last()
	take(quick, true)
	take(third, false)
	first()
	second()
	take(slow, true)

	var one slots
	release, ok := one.take(slow, slow, 1)
	if !ok {
		t.Fatal("the only slot is not given")
	}
	if _, ok := one.take(quick, quick, 1); ok {
		t.Error("the only slot is given twice")
	}
	release()
	if len(one.byTarget) != 0 {
		t.Errorf("remembered after all was given back: %v", one.byTarget)
	}
}

// What waits for a slot is counted while it asks for one.
func TestSlotsCountThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		target := types.NamespacedName{Name: "target"}
		ask := func(name string) (func(), bool) { return s.take(types.NamespacedName{Name: name}, target, 1) }
		waiting := func(want int) {
			t.Helper()
			if got := s.waiting(); got != want {
				t.Errorf("%d wait, want %d", got, want)
			}
		}
		waiting(0)
		release, _ := ask("a")
		ask("b")
		ask("b")
		ask("c")
		waiting(2)
		release()
		if _, ok := ask("b"); !ok {
			t.Error("the slot that was given back is not given")
		}
		waiting(1)
		time.Sleep(2 * forgetRefused)
		// It is no longer wanted, or it would have asked again.
		waiting(0)
	})
}
