// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/test/bed"
)

var integrations = schema.GroupVersionResource{Group: "ksit.io", Version: "v1alpha1", Resource: "integrations"}

// watch shows what becomes of the Integrations.
type watch struct {
	bed   *bed.Bed
	ksit  *bed.KSIT
	out   io.Writer
	begin time.Time
	// client is that of an administrator, on the host.
	client dynamic.ResourceInterface
	// shown is the last line about each Integration.
	shown map[string]string
}

func newWatch(b *bed.Bed, ksit *bed.KSIT, out io.Writer, begin time.Time) (*watch, error) {
	client, err := dynamic.NewForConfig(b.Host.RESTConfig())
	if err != nil {
		return nil, err
	}
	return &watch{
		bed: b, ksit: ksit, out: out, begin: begin,
		client: client.Resource(integrations).Namespace(namespace),
		shown:  map[string]string{},
	}, nil
}

// untilRunning returns when all Integrations are Running on all targets. One
// that runs on the targets which its manifest names is given the others then.
func (w *watch) untilRunning(ctx context.Context, timeout time.Duration) error {
	fmt.Fprintln(w.out, "waiting until all of them are Running …")
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := w.look(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if all && err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-w.ksit.Process.Done():
			return fmt.Errorf("KSIT has ended; its last words:\n%s", w.ksit.Process.LogTail(20))
		case <-ctx.Done():
			if context.Cause(ctx) == context.DeadlineExceeded {
				return fmt.Errorf("after %s not all Integrations are Running; the last lines of KSIT's log:\n%s", timeout, w.ksit.Process.LogTail(20))
			}
			return context.Cause(ctx)
		}
	}
}

// look shows what has changed and reports whether all is done.
func (w *watch) look(ctx context.Context) (bool, error) {
	list, err := w.client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("listing the Integrations: %w", err)
	}
	all := len(list.Items) > 0
	for i := range list.Items {
		integration := &list.Items[i]
		w.show(integration)
		if !running(integration) {
			all = false
			continue
		}
		spread, err := w.spread(ctx, integration)
		if err != nil {
			return false, err
		}
		all = all && spread
	}
	return all, nil
}

// show prints a line when the phase or the counts have changed.
func (w *watch) show(integration *unstructured.Unstructured) {
	phase := text(integration, "phase")
	if phase == "" {
		phase = "-"
	}
	line := fmt.Sprintf("%-12s %s", phase, counts(integration))
	if w.shown[integration.GetName()] == line {
		return
	}
	w.shown[integration.GetName()] = line
	fmt.Fprintf(w.out, "%6.1fs  %-12s %-20s %s\n", time.Since(w.begin).Seconds(), integration.GetName(), line, message(integration))
}

// spread adds the targets that the Integration does not name, and reports
// whether there were none.
func (w *watch) spread(ctx context.Context, integration *unstructured.Unstructured) (bool, error) {
	named, _, _ := unstructured.NestedStringSlice(integration.Object, "spec", "targetClusters")
	before := len(named)
	for _, target := range w.bed.Targets {
		if !slices.Contains(named, target.Name) {
			named = append(named, target.Name)
		}
	}
	if len(named) == before {
		return true, nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"targetClusters": named}})
	if err != nil {
		return false, err
	}
	name := integration.GetName()
	fmt.Fprintf(w.out, "kubectl patch integration %s -n %s --type merge -p '%s'\n", name, namespace, patch)
	if _, err := w.client.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return false, fmt.Errorf("adding targets to the Integration %s: %w", name, err)
	}
	return false, nil
}

// running reports whether the status is about the present spec and says Running.
func running(integration *unstructured.Unstructured) bool {
	observed, _, _ := unstructured.NestedInt64(integration.Object, "status", "observedGeneration")
	return observed == integration.GetGeneration() && text(integration, "phase") == "Running"
}

func text(integration *unstructured.Unstructured, field string) string {
	value, _, _ := unstructured.NestedString(integration.Object, "status", field)
	return value
}

// counts is on how many targets it is healthy, out of how many.
func counts(integration *unstructured.Unstructured) string {
	healthy, _, _ := unstructured.NestedInt64(integration.Object, "status", "healthy")
	targets, _, _ := unstructured.NestedInt64(integration.Object, "status", "targets")
	return fmt.Sprintf("%d/%d", healthy, targets)
}

// message is what the status says, on one line of bounded length.
func message(integration *unstructured.Unstructured) string {
	said := []rune(strings.Join(strings.Fields(text(integration, "message")), " "))
	if len(said) > 140 {
		said = append(said[:139], '…')
	}
	return string(said)
}
