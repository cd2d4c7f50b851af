// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installation installs, upgrades, probes and uninstalls: one
// Integration on one target at a time.
//
// Two pools of workers share the work. Reconcile is quick: it decides what is
// next, waits, and probes. What takes minutes, an install or an uninstall, it
// hands to Operate, so that slow installs never keep probes from running. The
// decision itself is the pure function decide.
package installation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/finalizer"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/status"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// Namespaces tells whether a namespace of the host cluster is being deleted.
type Namespaces interface {
	Terminating(ctx context.Context, name string) (bool, error)
}

// Metrics counts how installs end, and drift.
type Metrics interface {
	InstallSucceeded(integrationType, method string)
	InstallFailed(integrationType, method, reason string)
	DriftFound(integrationType string, objects int)
	DriftCorrected(integrationType string, objects int)
}

// Controller reconciles Installations.
type Controller struct {
	Client        client.KsitV1alpha1Interface
	Installations listers.InstallationLister
	Integrations  listers.IntegrationLister
	Targets       listers.IntegrationTargetLister
	Connections   *cluster.Set
	Installers    map[v1alpha1.InstallMethod]installer.Installer
	Sources       Sources
	Namespaces    Namespaces
	Events        events.EventRecorder
	Metrics       Metrics
	Log           Log
	// Traces begins the spans of operations; nil for none.
	Traces trace.TracerProvider
	// Probe has an Installation reconciled after a while, Work has it handed
	// to Operate.
	Probe func(types.NamespacedName, time.Duration)
	Work  func(types.NamespacedName)

	// Slots is how many operations are at work at once.
	Slots int

	slots      slots
	operations operations
	memories   memories
	tracker    tracker
}

const (
	// lookAgain is when what waits for something else is looked at again, should
	// the event be missed that it waits for.
	lookAgain = time.Minute
	// sourcesInterval is when sources that have moved on are looked at again.
	sourcesInterval = 20 * time.Second
)

// Reconcile decides what is next for an Installation, and does it unless it
// takes long.
func (c *Controller) Reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	installation, err := c.Installations.Installations(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.memories.forget(key)
		c.tracker.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading Installation %s: %w", key, err)
	}
	o, err := c.observe(ctx, installation)
	if err != nil {
		return 0, err
	}
	d := decide(o)
	if d.reason == reasonTargetNotReady {
		c.operations.loseTarget(key)
	}
	if c.operations.supersede(key, wantedBy(o, d)) {
		// Whatever goes on now, its end brings us back.
		return 0, nil
	}
	switch d.step {
	case stepDisable:
		return 0, c.disable(ctx, o.installation)
	case stepWait:
		return pace.Jitter(lookAgain), c.wait(ctx, o.installation, d)
	case stepRetryLater:
		return d.after, nil
	case stepRelease:
		return 0, c.release(ctx, o.installation, d)
	case stepProbe:
		return c.probe(ctx, o, d)
	default:
		if d.step.long() {
			c.Work(key)
		}
		return 0, nil
	}
}

// Operate installs or uninstalls. It reads the Installation anew, past the
// cache, and decides again: what it was called for may have passed while it
// waited for its turn.
func (c *Controller) Operate(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	cached, err := c.Installations.Installations(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading Installation %s: %w", key, err)
	}
	// Before anything is asked of the API: what finds no slot comes here again
	// and again.
	release, ok := c.slots.take(cached.TargetKey(), c.Slots)
	if !ok {
		return pace.Jitter(slotRetry), nil
	}
	defer release()
	return 0, c.operate(ctx, key, release)
}

// operate decides, and carries out what is decided. It calls release when all
// that is left is to wait.
func (c *Controller) operate(ctx context.Context, key types.NamespacedName, release func()) error {
	installation, err := c.Client.Installations(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Installation %s: %w", key, err)
	}
	o, err := c.observe(ctx, installation)
	if err != nil {
		return err
	}
	d := decide(o)
	if !d.step.long() {
		// Reconcile saw an older state than this. What is next is its affair,
		// once its cache has caught up.
		c.Probe(key, settle)
		return nil
	}
	opCtx, op, begun := c.operations.begin(ctx, key, wantedBy(o, d))
	if !begun {
		return nil
	}
	lookAfter := time.Duration(0)
	defer func() { c.Probe(key, lookAfter) }()
	defer op.end()
	opCtx, span := c.trace(opCtx, o)
	defer span.End()
	waiting := func() {
		op.wait()
		release()
	}
	switch d.step {
	case stepUninstall:
		return c.uninstall(opCtx, o)
	case stepDisown:
		return c.disown(opCtx, o)
	case stepRollback:
		return c.rollback(opCtx, o, waiting)
	case stepBringBack:
		return c.bringBack(opCtx, o, waiting)
	case stepCorrect:
		return c.correct(opCtx, o)
	default:
		err := c.install(opCtx, o, waiting)
		if errors.Is(err, errSourcesMoved) {
			// The controller of Integrations reads them again within this time.
			lookAfter, err = pace.Jitter(sourcesInterval), nil
		}
		return err
	}
}

// observe gathers what a decision depends on.
func (c *Controller) observe(ctx context.Context, installation *v1alpha1.Installation) (observed, error) {
	o := observed{installation: installation, now: time.Now()}
	targetKey := installation.TargetKey()
	var err error
	o.target, err = c.Targets.IntegrationTargets(targetKey.Namespace).Get(targetKey.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return observed{}, fmt.Errorf("reading IntegrationTarget %s: %w", targetKey, err)
	}
	if apierrors.IsNotFound(err) {
		o.target = nil
	}
	_, o.connected = c.Connections.Get(targetKey)
	// Without the target nobody knows as whom KSIT may act there.
	o.connected = o.connected && o.target != nil
	if installation.DeletionTimestamp != nil {
		if o.namespaceGoes, err = c.Namespaces.Terminating(ctx, installation.Namespace); err != nil {
			return observed{}, err
		}
		return o, nil
	}
	if !installs(installation) {
		return o, nil
	}
	o.digest = digestOf(installation, o.target)
	o.attempt = asTenant(attemptOf(installation, o.digest), o.target, installation.Namespace)
	o.mayCorrect = c.memories.of(types.NamespacedName{Namespace: installation.Namespace, Name: installation.Name}).mayCorrect(o.now)
	if o.dependency, err = c.blockedBy(installation); err != nil {
		return observed{}, err
	}
	return o, nil
}

func (c *Controller) disable(ctx context.Context, installation *v1alpha1.Installation) error {
	const message = "spec.enabled is false: nothing is installed or probed, and what is installed stays"
	written, err := status.Write(ctx, c.Client.Installations(installation.Namespace), installation, func(i *v1alpha1.Installation) {
		i.Status.ObservedGeneration = installation.Generation
		drop(i, asked(installation), "spec.enabled became false before it began", time.Now())
		i.Status.Phase, i.Status.Message = v1alpha1.PhaseDisabled, message
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, "Disabled", message)
	})
	if err == nil {
		answered(ctx, installation, written)
	}
	return err
}

// wait says what an Installation waits for.
func (c *Controller) wait(ctx context.Context, installation *v1alpha1.Installation, d decision) error {
	if message := status.Shorten(d.message, status.MaxMessage); message != installation.Status.Message {
		c.say(installation, "waits: %s", message)
	}
	return c.write(ctx, installation, func(i *v1alpha1.Installation) {
		i.Status.Phase, i.Status.Message = d.phase, status.Shorten(d.message, status.MaxMessage)
		if d.phase != v1alpha1.PhaseRunning || d.reason == reasonNotAllowed {
			ready := metav1.ConditionFalse
			if d.phase == v1alpha1.PhaseUnknown || d.reason == reasonNotAllowed {
				ready = metav1.ConditionUnknown
			}
			setCondition(i, v1alpha1.ConditionReady, ready, d.reason, d.message)
		}
	})
}

// release lets an Installation go.
func (c *Controller) release(ctx context.Context, installation *v1alpha1.Installation, d decision) error {
	released, err := finalizer.Remove(ctx, c.Client.Installations(installation.Namespace), installation, v1alpha1.FinalizerUninstall)
	if err != nil || released == nil {
		return err
	}
	if d.reason != "" {
		c.Events.Eventf(installation, nil, "Normal", d.reason, "Uninstall", "%s", d.message)
	}
	return nil
}

// write writes the status, if it changed.
func (c *Controller) write(ctx context.Context, installation *v1alpha1.Installation, mutate func(*v1alpha1.Installation)) error {
	_, err := status.Write(ctx, c.Client.Installations(installation.Namespace), installation, mutate)
	return err
}

func setCondition(i *v1alpha1.Installation, kind string, value metav1.ConditionStatus, reason, message string) {
	status.Set(&i.Status.Conditions, i.Generation, kind, value, reason, message)
}
