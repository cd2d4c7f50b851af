// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

const (
	// The first failure is tried again after about retryMin, each further one
	// after twice as long, up to retryMax. What only a change of the spec can
	// mend is tried at retryMax: a missing chart may be published yet.
	retryMin = 5 * time.Second
	retryMax = 10 * time.Minute
	// patience is how many attempts may fail before the phase is Failed rather
	// than Installing.
	patience = 3
	// grace is how much longer than its timeout an operation may take to end.
	grace = 15 * time.Second
	// lastWords bounds the writes that are still made after an operation's
	// context ended.
	lastWords = 5 * time.Second
)

// install installs or upgrades, and reports how that ended.
func (c *Controller) install(ctx context.Context, o observed, prepared preparedRequest) error {
	logger := klog.FromContext(ctx)
	connection, connected := c.Connections.Get(targetOf(o.installation))
	if !connected {
		return nil
	}
	operation := v1alpha1.Operation{
		Type:        operationType(o.installation),
		Outcome:     v1alpha1.OperationRunning,
		StartedAt:   metav1.NewTime(o.now.Truncate(time.Second)),
		RequestedBy: requestedBy(o.installation),
	}
	// Recorded before the first request to the target: should this process be
	// killed, its successor, and an uninstall, know that there may be something.
	begun, err := status.Write(ctx, c.Client.Installations(o.installation.Namespace), o.installation, func(i *v1alpha1.Installation) {
		begin(i, operation)
	})
	if err != nil || begun == nil {
		return err
	}
	logger.Info("Operation began", "operation", operation.Type, "integration", begun.Spec.Integration, "target", begun.Spec.Target, "requestedBy", operation.RequestedBy)

	result, err := installer.Result{}, prepared.err
	if err == nil {
		result, err = c.apply(ctx, connection, begun, prepared.request)
	}
	if context.Cause(ctx) != nil {
		if errors.Is(context.Cause(ctx), errSuperseded) {
			logger.Info("Operation was superseded", "operation", operation.Type)
			return c.recordReleases(ctx, begun, result)
		}
		return ctx.Err()
	}
	finished := metav1.NewTime(time.Now().Truncate(time.Second))
	operation.FinishedAt = &finished
	if err != nil {
		return c.failed(ctx, begun, operation, result, err)
	}
	return c.succeeded(ctx, begun, operation, result, o.digest)
}

func (c *Controller) apply(ctx context.Context, connection *cluster.Connection, i *v1alpha1.Installation, req installer.Request) (installer.Result, error) {
	method, known := c.Installers[methodOf(i)]
	if !known {
		return installer.Result{}, installer.Terminalf(installer.ReasonInstallFailed, "method %s is not known to this KSIT", methodOf(i))
	}
	if err := c.retire(ctx, connection, i, req); err != nil {
		return installer.Result{Releases: req.Recorded}, err
	}
	// The installer bounds itself, and then says which objects are not ready.
	// The bound here is for one that does not.
	ctx, cancel := context.WithTimeout(ctx, req.Timeout+grace)
	defer cancel()
	result, err := method.Apply(ctx, connection, req)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && installer.ReasonOf(err) != installer.ReasonNotReady {
		err = installer.Errorf(installer.ReasonNotReady, "not done within %s: %w", req.Timeout, err)
	}
	return result, err
}

// retire removes what was installed by another method than the present one. A
// method leaves alone what it did not install, so that it need not be known
// which one it was.
func (c *Controller) retire(ctx context.Context, connection *cluster.Connection, i *v1alpha1.Installation, req installer.Request) error {
	if len(req.Recorded) == 0 {
		return nil
	}
	for name, method := range c.Installers {
		if name == methodOf(i) {
			continue
		}
		if err := method.Uninstall(ctx, connection, installer.Removal{Owner: req.Owner, Releases: req.Recorded, Timeout: req.Timeout}); err != nil {
			return fmt.Errorf("removing what the method %s had installed: %w", name, err)
		}
	}
	return nil
}

// begin enters an operation that begins.
func begin(i *v1alpha1.Installation, operation v1alpha1.Operation) {
	st := &i.Status
	if st.ObservedGeneration != i.Generation || st.LastReconcileRequest != i.Spec.ReconcileRequest {
		st.Failures, st.NextRetryTime = 0, nil
	}
	st.ObservedGeneration = i.Generation
	st.LastReconcileRequest = i.Spec.ReconcileRequest
	phase, verb := v1alpha1.PhaseInstalling, "installing"
	if operation.Type == v1alpha1.OperationUpgrade {
		phase, verb = v1alpha1.PhaseUpgrading, "upgrading"
	}
	if st.Failures == 0 || st.Phase != v1alpha1.PhaseFailed {
		// While it is tried again after it Failed, it stays Failed.
		st.Phase = phase
		st.Message = verb
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(phase), verb)
	}
	st.LastOperation = &operation
}

func (c *Controller) succeeded(ctx context.Context, i *v1alpha1.Installation, operation v1alpha1.Operation, result installer.Result, digest string) error {
	operation.Outcome = v1alpha1.OperationSucceeded
	operation.Message = "nothing had to be changed"
	if result.Changed {
		operation.Message = "applied"
	}
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		st.LastOperation = &operation
		st.Releases = result.Releases
		st.AppliedDigest = digest
		st.Failures, st.NextRetryTime = 0, nil
		st.Message = "installed; its health is being probed"
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionTrue, "Installed", "installed as the spec says")
		setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionFalse, "AsExpected", "needs no help")
	})
	c.Metrics.InstallSucceeded(string(i.Spec.Type), string(methodOf(i)))
	klog.FromContext(ctx).Info("Operation succeeded", "operation", operation.Type, "integration", i.Spec.Integration, "target", i.Spec.Target,
		"releases", releaseNames(result.Releases), "changed", result.Changed, "duration", operation.FinishedAt.Sub(operation.StartedAt.Time))
	if result.Changed {
		c.Events.Eventf(i, nil, "Normal", done(operation.Type), string(operation.Type), "%s: %v", done(operation.Type), releaseNames(result.Releases))
	}
	return err
}

func (c *Controller) failed(ctx context.Context, i *v1alpha1.Installation, operation v1alpha1.Operation, result installer.Result, failure error) error {
	reason, terminal := installer.ReasonOf(failure), installer.IsTerminal(failure)
	operation.Outcome = v1alpha1.OperationFailed
	operation.Message = status.Shorten(failure.Error(), status.MaxMessage)
	failures := i.Status.Failures + 1
	retry := operation.FinishedAt.Add(retryAfter(failures, terminal))
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		st.LastOperation = &operation
		if result.Releases != nil {
			st.Releases = result.Releases
		}
		st.Failures = failures
		st.NextRetryTime = &metav1.Time{Time: retry.Truncate(time.Second)}
		message := fmt.Sprintf("attempt %d failed: %s; the next is at %s", failures, operation.Message, retry.UTC().Format("15:04:05 MST"))
		st.Message = status.Shorten(message, status.MaxMessage)
		if terminal || failures >= patience || reason == installer.ReasonNotReady {
			st.Phase = v1alpha1.PhaseFailed
		}
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionFalse, string(reason), operation.Message)
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(reason), operation.Message)
		setCondition(i, v1alpha1.ConditionStalled, status.Bool(terminal), string(reason), operation.Message)
	})
	c.Metrics.InstallFailed(string(i.Spec.Type), string(methodOf(i)), string(reason))
	klog.FromContext(ctx).Info("Operation failed", "operation", operation.Type, "integration", i.Spec.Integration, "target", i.Spec.Target,
		"reason", reason, "err", operation.Message, "attempt", failures, "nextRetry", retry, "duration", operation.FinishedAt.Sub(operation.StartedAt.Time))
	c.Events.Eventf(i, nil, "Warning", string(reason), string(operation.Type), "%s", operation.Message)
	return err
}

// recordReleases notes what an operation that was cut short left on the
// target, although its context has ended.
func (c *Controller) recordReleases(ctx context.Context, i *v1alpha1.Installation, result installer.Result) error {
	if result.Releases == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return c.write(ctx, i, func(i *v1alpha1.Installation) { i.Status.Releases = result.Releases })
}

// retryAfter is the exponential backoff, with jitter: installs
// that failed together, because a registry was down, are not tried together.
func retryAfter(failures int32, terminal bool) time.Duration {
	if terminal {
		return pace.Jitter(retryMax)
	}
	after := retryMin
	for range failures - 1 {
		if after *= 2; after >= retryMax {
			return pace.Jitter(retryMax)
		}
	}
	return pace.Jitter(after)
}

func operationType(i *v1alpha1.Installation) v1alpha1.OperationType {
	if i.Status.AppliedDigest != "" {
		return v1alpha1.OperationUpgrade
	}
	return v1alpha1.OperationInstall
}

func requestedBy(i *v1alpha1.Installation) string {
	last := i.Status.LastOperation
	switch {
	case i.Spec.ReconcileRequest != i.Status.LastReconcileRequest:
		return "the annotation reconcile"
	case i.Status.ObservedGeneration != i.Generation:
		return "the spec"
	case last != nil && last.Outcome == v1alpha1.OperationRunning:
		return "recovery of an operation that was cut short"
	case i.Status.Failures > 0:
		return "a retry"
	default:
		return "the state of the target"
	}
}

func releaseNames(releases []v1alpha1.ReleaseStatus) []string {
	names := make([]string, 0, len(releases))
	for _, r := range releases {
		names = append(names, fmt.Sprintf("%s/%s@%s", r.Namespace, r.Name, r.Version))
	}
	return names
}

// done is the reason of the event that tells of an operation that went through.
func done(operation v1alpha1.OperationType) string {
	if operation == v1alpha1.OperationUpgrade {
		return "Upgraded"
	}
	return "Installed"
}
