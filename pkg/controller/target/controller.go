// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package target connects to the clusters that IntegrationTargets name, probes
// them, and writes what it finds to their status.
package target

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/finalizer"
	"ksit.io/ksit/pkg/controller/index"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/report"
	"ksit.io/ksit/pkg/controller/status"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

// Metrics is told whether a target answers.
type Metrics interface {
	SetConnection(target types.NamespacedName, connected bool)
	DeleteConnection(target types.NamespacedName)
}

// Controller reconciles IntegrationTargets. Each is probed in its interval.
type Controller struct {
	Client        client.KsitV1alpha1Interface
	Targets       listers.IntegrationTargetLister
	Installations *index.Installations
	Secrets       cluster.Secrets
	Connections   *cluster.Set
	Events        events.EventRecorder
	Metrics       Metrics

	// failures counts the probes in a row that failed, by target.
	mu       sync.Mutex
	failures map[types.NamespacedName]int32
}

// retryUnready is how soon a target that is not ready is tried again.
const retryUnready = 5 * time.Second

// Reconcile connects to a target, probes it and reports.
func (c *Controller) Reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	target, err := c.Targets.IntegrationTargets(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.Connections.Drop(key)
		c.Metrics.DeleteConnection(key)
		c.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading IntegrationTarget %s: %w", key, err)
	}
	installations, err := c.Installations.OnTarget(key)
	if err != nil {
		return 0, err
	}
	if target.DeletionTimestamp != nil && len(installations) == 0 {
		// Nothing is installed on it any more: it may go.
		_, err := finalizer.Remove(ctx, c.Client.IntegrationTargets(key.Namespace), target, v1alpha1.FinalizerInUse)
		return 0, err
	}
	if target.DeletionTimestamp == nil {
		target, err = finalizer.Add(ctx, c.Client.IntegrationTargets(key.Namespace), target, v1alpha1.FinalizerInUse)
		if err != nil || target == nil {
			return 0, err
		}
	}
	if target.Spec.Suspend {
		return 0, c.write(ctx, target, func(t *v1alpha1.IntegrationTarget) {
			enterSuspended(t)
			t.Status.Installations = int32(len(installations))
		})
	}
	seen := look(ctx, c.Connections, c.Secrets, target)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if c.tolerated(key, target, seen) {
		return pace.Jitter(min(pace.Interval(target), retryUnready)), nil
	}
	c.Metrics.SetConnection(key, seen.ready())
	err = c.write(ctx, target, func(t *v1alpha1.IntegrationTarget) { seen.enter(t, installations) })
	if !seen.ready() {
		return pace.Jitter(min(pace.Interval(target), retryUnready)), err
	}
	return pace.Jitter(pace.Interval(target)), err
}

// tolerated counts a failure to reach a target that was ready, and tells
// whether it is one of those that are let pass.
func (c *Controller) tolerated(key types.NamespacedName, target *v1alpha1.IntegrationTarget, seen sight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures == nil {
		c.failures = map[types.NamespacedName]int32{}
	}
	if seen.refusal != nil || seen.report.Reachable.Status == metav1.ConditionTrue {
		delete(c.failures, key)
		return false
	}
	c.failures[key]++
	return target.Status.Ready && c.failures[key] < pace.FailureThreshold(target)
}

func (c *Controller) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failures, key)
}

// write writes the status, and an event when the target became ready or ceased
// to be.
func (c *Controller) write(ctx context.Context, target *v1alpha1.IntegrationTarget, mutate func(*v1alpha1.IntegrationTarget)) error {
	var before string
	written, err := status.Write(ctx, c.Client.IntegrationTargets(target.Namespace), target, func(t *v1alpha1.IntegrationTarget) {
		// The cache may lag: what is stored says whether this is news.
		before = readyReason(t)
		mutate(t)
	})
	if err != nil || written == nil {
		return err
	}
	if after := readyReason(written); after != before {
		kind := "Normal"
		if !written.Status.Ready && !written.Spec.Suspend {
			kind = "Warning"
		}
		message := readyMessage(written)
		c.Events.Eventf(written, nil, kind, after, "Probe", "%s", message)
		logChange(ctx, written, after, message)
	}
	return nil
}

// logChange says that a target became ready, or ceased to be, or is not for
// another reason than before.
func logChange(ctx context.Context, target *v1alpha1.IntegrationTarget, reason, message string) {
	fields := []any{"target", target.Name, "namespace", target.Namespace, "cluster", target.Spec.ClusterName, "ready", target.Status.Ready, "reason", reason}
	switch {
	case target.Status.Ready:
		report.Good(ctx, "Target is ready", append(fields, "message", message, "version", target.Status.Version)...)
	case target.Spec.Suspend, target.DeletionTimestamp != nil:
		report.Plain(ctx, "Target is not ready", append(fields, "message", message)...)
	default:
		report.Bad(ctx, message, "Target is not ready", fields...)
	}
}

func inUse(installations []*v1alpha1.Installation) string {
	const shown = 5
	names := make([]string, 0, len(installations))
	for _, installation := range installations {
		name := installation.Spec.Integration
		if installation.Spec.TargetNamespace != "" {
			name = installation.Namespace + "/" + name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), shown)], ", ")
	if len(names) > shown {
		text += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return "deletion waits for the Integrations that are installed here: " + text + "; drop the target from them, or delete them"
}
