// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
)

// world is a journal whose API answers with an error, or keeps what is sent.
type world struct {
	*Journal
	scheduled int
	err       error
	sent      [][]string
}

func newWorld() *world {
	w := &world{}
	api := fake.NewSimpleClientset()
	api.PrependReactor("create", "installations", func(action clienttesting.Action) (bool, runtime.Object, error) {
		log := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.InstallationLog)
		if w.err != nil {
			return true, nil, w.err
		}
		var lines []string
		for _, line := range log.Lines {
			lines = append(lines, line.Message)
		}
		w.sent = append(w.sent, lines)
		return true, log, nil
	})
	w.Journal = New(api.KsitV1alpha1(), func(_ types.NamespacedName, after time.Duration) {
		w.scheduled++
	})
	return w
}

var app = types.NamespacedName{Namespace: "ns", Name: "app.one"}

func (w *world) send(t *testing.T) error {
	t.Helper()
	again, err := w.Send(t.Context(), app)
	if left := len(w.pages) > 0; err == nil && left != (again == gather) {
		t.Errorf("comes back after %s, with pages %v", again, w.pages)
	}
	return err
}

func TestLinesAreGathered(t *testing.T) {
	w := newWorld()
	for n := range 3 {
		w.Say(app, fmt.Sprint(n))
	}
	if err := w.send(t); err != nil {
		t.Fatal(err)
	}
	// What comes right after waits for its turn, and needs nobody to schedule it.
	w.Say(app, "3")
	if err := errors.Join(w.send(t), w.send(t)); err != nil || len(w.pages) != 0 {
		t.Fatalf("left %v, %v", w.pages, err)
	}
	if w.scheduled != 1 || len(w.sent) != 2 || w.sent[1][0] != "3" || !slices.Equal(w.sent[0], []string{"0", "1", "2"}) {
		t.Errorf("scheduled %d times, sent %q", w.scheduled, w.sent)
	}
	for n := range 2 * maxWaiting {
		w.Say(app, fmt.Sprint(n))
	}
	w.SendAll(context.Background())
	if last := w.sent[2]; len(last) != maxWaiting+1 || !strings.Contains(last[maxWaiting], fmt.Sprint(maxWaiting)) {
		t.Errorf("sent %d lines, the last is %q", len(last), last[len(last)-1])
	}
}

func TestFailures(t *testing.T) {
	w := newWorld()
	w.Say(app, "first")
	w.err = errors.New("no route")
	if w.send(t) == nil {
		t.Error("a failure is none")
	}
	w.Say(app, "second")
	w.err = nil
	if err := w.send(t); err != nil || !slices.Equal(w.sent[0], []string{"first", "second"}) {
		t.Errorf("sent %q, %v", w.sent, err)
	}
	// What can never be sent is let go.
	for _, err := range []error{
		apierrors.NewNotFound(v1alpha1.Resource("installations"), app.Name),
		apierrors.NewForbidden(v1alpha1.Resource("installations"), app.Name, errors.New("it is terminating")),
	} {
		w.Say(app, "lost")
		w.err = err
		if err := errors.Join(w.send(t), w.send(t)); err != nil || len(w.pages) != 0 {
			t.Errorf("left %v, %v", w.pages, err)
		}
	}
}
