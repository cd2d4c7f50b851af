// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package finalizer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const mine, other = "ksit.io/mine", "example.com/other"

// store is where what is updated goes, unless it has an error to give.
type store struct {
	updates int
	err     error
}

func (s *store) Update(_ context.Context, i *v1alpha1.Integration, _ metav1.UpdateOptions) (*v1alpha1.Integration, error) {
	s.updates++
	if s.err != nil {
		return nil, s.err
	}
	return i, nil
}

func held(by ...string) *v1alpha1.Integration {
	return &v1alpha1.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "app", Finalizers: by}}
}

func TestAddAndRemove(t *testing.T) {
	type change = func(context.Context, Client[v1alpha1.Integration], *v1alpha1.Integration, string) (*v1alpha1.Integration, error)
	var add, remove change = Add[v1alpha1.Integration], Remove[v1alpha1.Integration]
	for name, test := range map[string]struct {
		change        change
		before, after []string
		updates       int
	}{
		"add":                 {add, []string{other}, []string{other, mine}, 1},
		"add what is there":   {add, []string{mine}, []string{mine}, 0},
		"remove":              {remove, []string{mine, other}, []string{other}, 1},
		"remove what is gone": {remove, []string{other}, []string{other}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var s store
			cached := held(test.before...)
			got, err := test.change(t.Context(), &s, cached, mine)
			if err != nil || !slices.Equal(got.Finalizers, test.after) || s.updates != test.updates {
				t.Errorf("finalizers %v after %d updates (%v), want %v after %d", got.GetFinalizers(), s.updates, err, test.after, test.updates)
			}
			if !slices.Equal(cached.Finalizers, test.before) {
				t.Error("the object of the cache was changed")
			}
		})
	}
}

func TestGoneIsNoErrorAndAConflictIs(t *testing.T) {
	resource := v1alpha1.Resource("integrations")
	if got, err := Add(t.Context(), &store{err: apierrors.NewNotFound(resource, "app")}, held(), mine); got != nil || err != nil {
		t.Errorf("of an object that is gone: %v, %v", got, err)
	}
	conflict := apierrors.NewConflict(resource, "app", errors.New("it changed"))
	got, err := Remove(t.Context(), &store{err: conflict}, held(mine), mine)
	if got != nil || !apierrors.IsConflict(err) || !strings.Contains(err.Error(), mine+" from ns/app") {
		t.Errorf("after a conflict: %v, %v", got, err)
	}
}
