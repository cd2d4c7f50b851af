// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/installation"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/controller/target"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/pkg/installer"
)

// Health connects to a target and probes it. That this fails is an answer.
func (t *Targets) Health(ctx context.Context, integrationTarget *v1alpha1.IntegrationTarget) (*v1alpha1.IntegrationTargetHealth, error) {
	found := target.Health(ctx, t.Connections, t.Secrets, integrationTarget)
	if err := ended(ctx, "the probe of the cluster"); err != nil {
		return nil, err
	}
	return found, nil
}

// Health probes an Installation. That its cluster cannot be reached is an answer.
func (i *Installations) Health(ctx context.Context, inst *v1alpha1.Installation) (*v1alpha1.InstallationHealth, error) {
	began := time.Now()
	report, message, err := i.probe(ctx, inst)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.InstallationHealth{
		ObjectMeta:       metav1.ObjectMeta{Namespace: inst.Namespace, Name: inst.Name},
		ProbedAt:         metav1.NewTime(began),
		TookMilliseconds: time.Since(began).Milliseconds(),
		State:            report.State,
		Message:          status.Shorten(message, status.MaxMessage),
		Checks:           report.Checks,
		Unhealthy:        report.Unhealthy,
	}, nil
}

// probe returns a report and a line about it.
func (i *Installations) probe(ctx context.Context, inst *v1alpha1.Installation) (health.Report, string, error) {
	unknown := health.Report{State: v1alpha1.CheckUnknown}
	if !inst.Spec.Enabled {
		return unknown, "spec.enabled is false: nothing is installed or probed, and what is installed stays", nil
	}
	integrationTarget, connection, err := i.Targets.Of(ctx, inst)
	if apierrors.IsServiceUnavailable(err) {
		return unknown, err.Error(), nil
	}
	if err != nil {
		return unknown, "", err
	}
	timed, cancel := context.WithTimeout(ctx, pace.Timeout(integrationTarget))
	defer cancel()
	input, err := installation.Probed(timed, connection, i.Installers, inst)
	if ended := ended(ctx, "the probe"); ended != nil {
		return unknown, "", ended
	}
	if installer.ReasonOf(err) == installer.ReasonTargetUnreachable {
		return unknown, connection.Explain(err).Message, nil
	}
	if err != nil {
		// A release that somebody removed, say.
		return unknown, err.Error(), nil
	}
	report := health.Probe(timed, connection, input)
	if ended := ended(ctx, "the probe"); ended != nil {
		return unknown, "", ended
	}
	return report, report.Summary(), nil
}
