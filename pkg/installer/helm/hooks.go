// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// hookRetry is the pause before a hook is looked at again after the target did
// not answer or ended the watch.
const hookRetry = 500 * time.Millisecond

// waitForHook returns when a Job or Pod that is a hook is through, and at once
// for any other object. One that is deleted counts as through, as with Helm: it
// may clean up after itself.
func waitForHook(ctx context.Context, conn *cluster.Connection, info *resource.Info) error {
	var verdict func(*unstructured.Unstructured) (done bool, failure string)
	switch info.Mapping.GroupVersionKind.GroupKind().String() {
	case "Job.batch":
		verdict = judgeJob
	case "Pod":
		verdict = judgePod
	default:
		return nil
	}
	client := conn.Dynamic().Resource(info.Mapping.Resource).Namespace(info.Namespace)
	for {
		done, failure, err := followHook(ctx, client, info.Name, verdict)
		switch {
		case ctx.Err() != nil:
			if errors.Is(context.Cause(ctx), errTimeout) {
				return installer.Errorf(installer.ReasonHookFailed, "the hook %s did not finish in time", describe(info))
			}
			return interrupted(ctx, "waiting for the hook "+describe(info))
		case failure != "":
			return installer.Errorf(installer.ReasonHookFailed, "the hook %s failed: %s", describe(info), shorten(failure, 300))
		case done:
			return nil
		case apierrors.IsForbidden(err):
			return installer.Errorf(installer.ReasonForbidden, "waiting for the hook %s: %w", describe(info), err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(hookRetry):
		}
	}
}

// followHook reads the object and watches it from there, until it is through or
// the watch ends.
func followHook(ctx context.Context, client dynamic.ResourceInterface, name string, verdict func(*unstructured.Unstructured) (bool, string)) (done bool, failure string, err error) {
	// A list, because a watch can go on from where it ended.
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	list, err := client.List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return false, "", err
	}
	if len(list.Items) == 0 {
		return true, "", nil
	}
	if done, failure := verdict(&list.Items[0]); done {
		return done, failure, nil
	}
	w, err := client.Watch(ctx, metav1.ListOptions{FieldSelector: selector, ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return false, "", err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		u, ok := event.Object.(*unstructured.Unstructured)
		switch {
		case event.Type == watch.Error || !ok:
			return false, "", nil
		case event.Type == watch.Deleted:
			return true, "", nil
		}
		if done, failure := verdict(u); done {
			return done, failure, nil
		}
	}
	return false, "", nil
}

func judgeJob(job *unstructured.Unstructured) (done bool, failure string) {
	conditions, _, _ := unstructured.NestedSlice(job.Object, "status", "conditions")
	for _, c := range conditions {
		condition, ok := c.(map[string]any)
		if !ok || condition["status"] != "True" {
			continue
		}
		switch condition["type"] {
		case "Complete":
			return true, ""
		case "Failed":
			reason, _ := condition["reason"].(string)
			message, _ := condition["message"].(string)
			return true, reason + ": " + message
		}
	}
	return false, ""
}

func judgePod(pod *unstructured.Unstructured) (done bool, failure string) {
	switch phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase"); phase {
	case "Succeeded":
		return true, ""
	case "Failed":
		reason, _, _ := unstructured.NestedString(pod.Object, "status", "reason")
		message, _, _ := unstructured.NestedString(pod.Object, "status", "message")
		return true, "the pod failed " + reason + " " + message
	default:
		return false, ""
	}
}
