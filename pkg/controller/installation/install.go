// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/sources"
)

// grace is how much longer than its timeout an operation may take to end.
const grace = 15 * time.Second

// errSourcesMoved is returned for sources that are no longer those that the spec
// of the Installation speaks of.
var errSourcesMoved = errors.New("the ConfigMaps or Secrets have changed")

// install installs or upgrades, and reports how that ended. It calls waiting
// when all that is left is to wait.
func (c *Controller) install(ctx context.Context, o observed, waiting func()) error {
	connection, connected, err := c.connect(o)
	if !connected {
		return err
	}
	req, prepareErr := c.prepare(ctx, o)
	req.Waiting = waiting
	if errors.Is(prepareErr, errSourcesMoved) {
		return errors.Join(errSourcesMoved, c.wait(ctx, o.installation, decision{phase: orPending(o.installation.Status.Phase), reason: "SourcesChanged",
			message: "the ConfigMaps or Secrets that autoInstall refers to have changed: it waits for its turn to install them"}))
	}
	if isUnknown(o.installation) && prepareErr == nil {
		var held bool
		if held, prepareErr = c.takeUpHold(ctx, o, connection, req); held {
			return prepareErr
		}
	}
	operation := newRecord(o, operationType(o.installation), c.requestedBy(o.installation))
	if request := asked(o.installation); request != nil {
		operation.ID = request.ID
	}
	begun, err := c.enter(ctx, o, operation)
	if err != nil || begun == nil {
		return err
	}
	result, err := installer.Result{}, prepareErr
	if err == nil {
		result, err = c.apply(ctx, connection, begun, req)
	}
	if interrupted, err := c.interrupted(ctx, begun, operation, result); interrupted {
		return err
	}
	operation.end()
	if err != nil {
		return c.failed(ctx, o, begun, operation, result, err)
	}
	return c.succeeded(ctx, o, begun, operation, result)
}

// prepare gathers the request. Sources are only used while they are those that
// the spec has the digest of: a rollout decides who gets new ones, and when.
func (c *Controller) prepare(ctx context.Context, o observed) (installer.Request, error) {
	i := o.installation
	req := c.request(i, o.target)
	var err error
	req.Sources, err = c.Sources.Read(ctx, i.Namespace, i.Spec.AutoInstall)
	if err != nil {
		return req, err
	}
	if sources.Digest(req.Sources) != i.Spec.SourcesDigest {
		return req, errSourcesMoved
	}
	return req, nil
}

func (c *Controller) apply(ctx context.Context, connection *cluster.Connection, i *v1alpha1.Installation, req installer.Request) (installer.Result, error) {
	method, known := c.Installers[methodOf(i)]
	if !known {
		return installer.Result{}, installer.Terminalf(installer.ReasonInstallFailed, "method %s is not known to this KSIT", methodOf(i))
	}
	if err := mayAct(ctx, connection); err != nil {
		return installer.Result{Releases: req.Recorded}, err
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

func (c *Controller) succeeded(ctx context.Context, o observed, i *v1alpha1.Installation, operation *operationRecord, result installer.Result) error {
	operation.Outcome = v1alpha1.OperationSucceeded
	operation.Message = "nothing had to be changed"
	if result.Changed {
		operation.Message = "applied"
	}
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		recordOperation(st, operation)
		st.Releases = result.Releases
		st.AppliedDigest, st.AttemptedDigest = o.digest, o.attempt
		st.Values = result.Values
		st.Failures, st.Retries, st.NextRetryTime = 0, 0, nil
		st.Drifted = nil
		st.Message = "installed; its health is being probed"
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionTrue, "Installed", "installed as the spec says")
		setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionFalse, "AsExpected", "needs no help")
		status.Remove(&st.Conditions, v1alpha1.ConditionRemediated)
		status.Remove(&st.Conditions, v1alpha1.ConditionDrifted)
	})
	c.Metrics.InstallSucceeded(string(i.Spec.Type), string(methodOf(i)))
	operation.succeeded(ctx, i, "releases", releaseNames(result.Releases), "changed", result.Changed)
	c.say(i, "%s succeeded, %s: %v", operation.Type, operation.Message, releaseNames(result.Releases))
	if result.Changed {
		c.Events.Eventf(i, nil, "Normal", done(operation.Type), string(operation.Type), "%s: %v", done(operation.Type), releaseNames(result.Releases))
	}
	return err
}

func (c *Controller) failed(ctx context.Context, o observed, i *v1alpha1.Installation, operation *operationRecord, result installer.Result, failure error) error {
	reason, terminal := installer.ReasonOf(failure), installer.IsTerminal(failure)
	operation.Outcome = v1alpha1.OperationFailed
	operation.Message = status.Shorten(failure.Error(), status.MaxMessage)
	f := countFailure(i, failure, operation.FinishedAt.Time)
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		recordOperation(st, operation)
		if result.Releases != nil {
			st.Releases = result.Releases
		}
		st.AttemptedDigest = o.attempt
		st.Failures, st.Retries, st.NextRetryTime = f.failures, f.retries, f.next
		st.Message = status.Shorten(f.message(operation.Message), status.MaxMessage)
		if terminal || f.spent || f.failures >= patience || reason == installer.ReasonNotReady {
			st.Phase = v1alpha1.PhaseFailed
		}
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionFalse, string(reason), operation.Message)
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(reason), operation.Message)
		setCondition(i, v1alpha1.ConditionStalled, status.Bool(terminal || f.left), string(reason), st.Message)
		if f.left {
			setCondition(i, v1alpha1.ConditionRemediated, metav1.ConditionTrue, reasonLeft, "the retries are spent, and everything is left as it is")
		}
	})
	c.Metrics.InstallFailed(string(i.Spec.Type), string(methodOf(i)), string(reason))
	operation.failed(ctx, i, string(reason), f.next, "releases", releaseNames(result.Releases))
	c.say(i, "%s failed: %s: %s", operation.Type, reason, f.message(operation.Message))
	c.Events.Eventf(i, nil, "Warning", string(reason), string(operation.Type), "%s", operation.Message)
	if f.spent {
		c.Events.Eventf(i, nil, "Warning", reasonRetriesSpent, string(operation.Type), "%d attempts failed", f.failures)
	}
	return err
}

func operationType(i *v1alpha1.Installation) v1alpha1.OperationType {
	if i.Status.AppliedDigest != "" {
		return v1alpha1.OperationUpgrade
	}
	return v1alpha1.OperationInstall
}

func (c *Controller) requestedBy(i *v1alpha1.Installation) string {
	last := i.Status.LastOperation
	switch {
	case asked(i) != nil:
		return asked(i).RequestedBy
	case i.Spec.ReconcileRequest != i.Status.LastReconcileRequest:
		return c.annotatedBy(i)
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

// annotatedBy is the user who set the annotation reconcile of the Integration.
func (c *Controller) annotatedBy(i *v1alpha1.Installation) string {
	integration, err := c.Integrations.Integrations(i.Namespace).Get(i.Spec.Integration)
	if err == nil && integration.Annotations[v1alpha1.AnnotationReconcile] == i.Spec.ReconcileRequest {
		if user := integration.Annotations[v1alpha1.AnnotationReconcileRequestedBy]; user != "" {
			return user
		}
	}
	return "the annotation reconcile"
}

// done is the reason of the event that tells of an operation that went through.
func done(operation v1alpha1.OperationType) string {
	if operation == v1alpha1.OperationUpgrade {
		return "Upgraded"
	}
	return "Installed"
}
