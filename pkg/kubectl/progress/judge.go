// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

// Judge says of an Integration how far the work on its targets is.
type Judge func(fleet.Entry) []Item

// UntilRunning judges whether the spec of a generation, or a later one, runs on
// every target.
func UntilRunning(generation int64) Judge {
	return func(entry fleet.Entry) []Item {
		i := &entry.Integration
		whole := Item{Name: i.Name, Phase: i.Status.Phase, Message: i.Status.Message}
		if whole.Phase == "" {
			whole.Phase = v1alpha1.PhasePending
		}
		switch {
		case i.Status.ObservedGeneration < max(generation, i.Generation):
			whole.Message = "KSIT did not see the newest spec yet"
			return []Item{whole}
		case i.Status.Phase == v1alpha1.PhaseDisabled:
			whole.State = Succeeded
			return []Item{whole}
		case i.Status.Targets == 0 && len(entry.Installations) == 0 && !stalled(i.Status.Conditions):
			whole.State = Succeeded
			return []Item{whole}
		}
		items := make([]Item, 0, len(entry.Installations)+1)
		for n := range entry.Installations {
			items = append(items, untilRunning(&entry.Installations[n], stalled(i.Status.Conditions)))
		}
		// The whole adds what no target says: that it is not spread out yet, or
		// cannot be.
		if over(items) && i.Status.Phase != v1alpha1.PhaseRunning && len(Failures(items, false)) == 0 {
			if stalled(i.Status.Conditions) {
				whole.State = Failed
			}
			items = append(items, whole)
		}
		return items
	}
}

func untilRunning(i *v1alpha1.Installation, rolloutStopped bool) Item {
	item := itemOf(i)
	final := item.Phase == v1alpha1.PhaseFailed && i.Status.NextRetryTime == nil || stalled(i.Status.Conditions)
	switch {
	case i.Status.ObservedGeneration != i.Generation:
		return item
	case i.Spec.WaitsFor != "":
		item.Message = "waits for " + i.Spec.WaitsFor
		if rolloutStopped {
			item.State = Failed
		}
	case i.Status.Hold != nil:
		item.State = Failed
		item.Message = fmt.Sprintf("a rollback by %s holds it at revision %d: end that with kubectl ksit reconcile", i.Status.Hold.RequestedBy, i.Status.Hold.Revision)
	case item.Phase == v1alpha1.PhaseRunning:
		item.State, item.Message, item.Done = Succeeded, "", item.Total
	case final:
		item.State = Failed
	}
	return item
}

func itemOf(i *v1alpha1.Installation) Item {
	item := Item{
		Name:    i.Spec.Integration + " on " + fleet.TargetName(i),
		Phase:   i.PresentPhase(),
		Message: i.Status.Message,
		Total:   1 + len(i.Status.Checks),
	}
	// What an earlier spec has done is no progress of this one.
	if i.Status.ObservedGeneration == i.Generation && meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionInstalled) {
		item.Done = 1
		for _, check := range i.Status.Checks {
			if check.State == v1alpha1.CheckPassed {
				item.Done++
			}
		}
	}
	return item
}

func stalled(conditions []metav1.Condition) bool {
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)
}

// UntilDone judges whether the request of an id was carried out on the targets
// that it is for: all of them where on is nil.
func UntilDone(id string, on func(*v1alpha1.Installation) bool) Judge {
	return func(entry fleet.Entry) []Item {
		var items []Item
		for n := range entry.Installations {
			if i := &entry.Installations[n]; on == nil || on(i) {
				items = append(items, untilDone(i, id))
			}
		}
		return items
	}
}

func untilDone(i *v1alpha1.Installation, id string) Item {
	item := itemOf(i)
	operation := operationOf(i, id)
	switch {
	case operation == nil && i.Status.LastRequest == id:
		// It was, and ten others since.
		item.State = Succeeded
	case operation == nil:
		item.Message = "KSIT did not begin yet"
	case operation.Outcome == v1alpha1.OperationSucceeded:
		item.State, item.Done, item.Message = Succeeded, item.Total, operation.Message
	case operation.Outcome == v1alpha1.OperationFailed:
		item.State, item.Message = Failed, operation.Message
	case operation.Outcome == v1alpha1.OperationSuperseded:
		item.State, item.Message = Failed, "another request came before this one began"
	}
	return item
}

func operationOf(i *v1alpha1.Installation, id string) *v1alpha1.Operation {
	for n := range i.Status.Operations {
		if i.Status.Operations[n].ID == id {
			return &i.Status.Operations[n]
		}
	}
	if last := i.Status.LastOperation; last != nil && last.ID == id {
		return last
	}
	return nil
}

// UntilReconciled judges whether every target of an Integration runs what the
// spec says since the reconcile of an id was asked for.
func UntilReconciled(id string) Judge {
	running := UntilRunning(0)
	return func(entry fleet.Entry) []Item {
		i := &entry.Integration
		whole := Item{Name: i.Name, Phase: i.Status.Phase}
		switch {
		case i.Annotations[v1alpha1.AnnotationReconcile] != id:
			whole.State, whole.Message = Failed, "another reconcile was asked for since"
			return []Item{whole}
		case i.Status.LastReconcileRequest != id:
			whole.Message = "KSIT did not see the request yet"
			return []Item{whole}
		}
		items := running(entry)
		for n := range entry.Installations {
			installation := &entry.Installations[n]
			if n < len(items) && items[n].Name == itemOf(installation).Name &&
				installation.Status.LastReconcileRequest != id && installation.Spec.WaitsFor == "" {
				items[n].State = Going
			}
		}
		return items
	}
}
