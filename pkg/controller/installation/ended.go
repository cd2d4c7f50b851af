// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/report"
)

// What is in this file writes the one line of the log that there is for each
// operation, when it has ended.

// outcomeInterrupted is logged of an operation that did not come to its end.
// Status never has it: what comes next takes up what it left.
const outcomeInterrupted = "Interrupted"

// succeeded logs that an operation went through.
func (r *operationRecord) succeeded(ctx context.Context, i *v1alpha1.Installation, more ...any) {
	r.traceEnd(ctx, string(v1alpha1.OperationSucceeded), "Succeeded")
	report.Good(ctx, string(r.Type)+" succeeded", append(r.fields(i, string(v1alpha1.OperationSucceeded), "Succeeded"), append([]any{"message", r.Message}, more...)...)...)
}

// failed logs that an operation failed, and when it is tried again; retry is nil
// where it is not.
func (r *operationRecord) failed(ctx context.Context, i *v1alpha1.Installation, reason string, retry *metav1.Time, more ...any) {
	r.traceEnd(ctx, string(v1alpha1.OperationFailed), reason)
	if retry != nil {
		more = append(more, "nextRetry", retry.UTC().Format(time.RFC3339))
	}
	report.Bad(ctx, r.Message, string(r.Type)+" failed", append(r.fields(i, string(v1alpha1.OperationFailed), reason), more...)...)
}

// wasCutShort logs that an operation was ended before its time.
func (r *operationRecord) wasCutShort(ctx context.Context, i *v1alpha1.Installation, reason string, why error) {
	r.traceEnd(ctx, outcomeInterrupted, reason)
	report.Plain(ctx, string(r.Type)+" was cut short", append(r.fields(i, outcomeInterrupted, reason), "message", why.Error())...)
}

// fields are what is logged of every operation.
func (r *operationRecord) fields(i *v1alpha1.Installation, outcome, reason string) []any {
	fields := []any{
		"operation", string(r.Type), "outcome", outcome, "reason", reason,
		"integration", i.Spec.Integration, "namespace", i.Namespace, "target", i.TargetName(),
		"type", string(i.Spec.Type), "requestedBy", r.RequestedBy,
		"attempt", r.attempt, "duration", time.Since(r.began).Round(time.Millisecond),
	}
	if installs(i) {
		fields = append(fields, "method", string(methodOf(i)))
		if helm := i.Spec.AutoInstall.HelmConfig; helm != nil && methodOf(i) == v1alpha1.InstallMethodHelm {
			fields = append(fields, "chart", helm.Chart, "version", helm.Version)
		}
	}
	if r.ID != "" {
		fields = append(fields, "request", r.ID)
	}
	return fields
}

// answered logs how a request ended that took no operation: it was dropped, or
// there was nothing to do but to probe. before and after are what the status said
// of it.
func answered(ctx context.Context, before, after *v1alpha1.Installation) {
	request := asked(before)
	if request == nil || after == nil || after.Status.LastRequest != request.ID {
		return
	}
	for _, o := range after.Status.Operations {
		if o.ID != request.ID || o.FinishedAt == nil {
			continue
		}
		record := &operationRecord{Operation: o, began: o.StartedAt.Time, attempt: 1}
		if o.Outcome == v1alpha1.OperationSucceeded {
			record.succeeded(ctx, after)
			return
		}
		report.Plain(ctx, string(o.Type)+" was "+strings.ToLower(string(o.Outcome)),
			append(record.fields(after, string(o.Outcome), string(o.Outcome)), "message", o.Message)...)
		return
	}
}
