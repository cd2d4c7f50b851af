// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status helps controllers to write status: conditions, bounded
// messages, and nothing at all when nothing changed.
package status

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// MaxMessage bounds the messages that controllers write, in bytes: what comes
// from a target cluster or a chart may be of any length.
const MaxMessage = 1024

// Shorten cuts text to at most limit bytes, at a rune, and marks the cut.
func Shorten(text string, limit int) string {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "?")
	if len(text) <= limit {
		return text
	}
	const mark = " …"
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.TrimSpace(text[:cut]) + mark
}

// Set sets a condition. The time of its transition changes with its status only.
func Set(conditions *[]metav1.Condition, generation int64, kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type:               kind,
		Status:             value,
		ObservedGeneration: generation,
		Reason:             reason,
		Message:            Shorten(message, MaxMessage),
	})
}

// Remove takes a condition away.
func Remove(conditions *[]metav1.Condition, kind string) {
	meta.RemoveStatusCondition(conditions, kind)
}

// IsTrue tells whether a condition is there and true.
func IsTrue(conditions []metav1.Condition, kind string) bool {
	return meta.IsStatusConditionTrue(conditions, kind)
}

// Bool turns a truth into the status of a condition.
func Bool(value bool) metav1.ConditionStatus {
	if value {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// object is a KSIT object of one kind, by pointer.
type object[T any] interface {
	*T
	metav1.Object
	DeepCopy() *T
}

// Client reads an object and writes its status: the typed clients do.
type Client[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*T, error)
	UpdateStatus(ctx context.Context, obj *T, opts metav1.UpdateOptions) (*T, error)
}

// Write lets mutate change a copy of cached, and writes the status of the copy
// when mutate changed anything. After a conflict it reads the object anew and
// lets mutate see that, so mutate must not carry over what it saw before. It
// returns the object as it is then stored. An object that is gone, or was
// replaced by another of the same name, is no error: it returns nil.
func Write[T any, P object[T]](ctx context.Context, client Client[T], cached P, mutate func(P)) (P, error) {
	current := cached
	var written P
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		changed := P(current.DeepCopy())
		mutate(changed)
		if equality.Semantic.DeepEqual(current, changed) {
			written = changed
			return nil
		}
		updated, err := client.UpdateStatus(ctx, changed, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			fresh, getErr := client.Get(ctx, cached.GetName(), metav1.GetOptions{})
			if getErr != nil {
				return getErr
			}
			current = fresh
			if current.GetUID() != cached.GetUID() {
				written = nil
				return nil
			}
			return err
		}
		written = updated
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("writing the status of %s/%s: %w", cached.GetNamespace(), cached.GetName(), err)
	}
	return written, nil
}

// Worse compares two phases: negative when a is the worse one.
func Worse(a, b v1alpha1.Phase) int { return a.Severity() - b.Severity() }
