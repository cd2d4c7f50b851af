// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/installer"
)

func TestRedactor(t *testing.T) {
	r := newRedactor(map[string]any{
		"admin":     map[string]any{"password": "s3cr3t", "user": "root"},
		"token":     "monitoring",
		"tls":       "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n-----END KEY-----",
		"long":      []any{"an unremarkable but long value"},
		"namespace": "monitoring-of-all",
	}, "release", "monitoring-of-all", "chart")
	for in, want := range map[string]string{
		`template: a.yaml:1: bad s3cr3t for root`:                                                 `template: a.yaml:1: bad (hidden) for root`,
		"an unremarkable but long value is bad in monitoring-of-all":                              "(hidden) is bad in monitoring-of-all",
		"cannot parse MIIEvQIBADANBgkq":                                                           "cannot parse (hidden)",
		`Deployment.apps "x" is invalid: spec.a: Invalid value: "hunter2 \" hunter3": must be b`:  `Deployment.apps "x" is invalid: spec.a: Invalid value: (hidden): must be b`,
		`spec.b: Unsupported value: "hunter2": supported values: "a"`:                             `spec.b: Unsupported value: (hidden): supported values: "a"`,
		`error found in #10 byte of ...|"password":"hunter2"|..., bigger context ...|hunter2|...`: `error found in #10 byte of ...(hidden)`,
		"- at '/a': 'hunter2' does not match pattern '^x$'":                                       "- at '/a': (hidden) does not match pattern '^x$'",
		"several\n\n   lines": "several lines",
	} {
		if got := r.text(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
	if got := r.text(strings.Repeat("é", maxErrorBytes)); len(got) > maxErrorBytes+len("…") || !strings.HasSuffix(got, "é…") {
		t.Errorf("%d bytes, ending %q", len(got), got[len(got)-6:])
	}
	var none *redactor
	if got := none.text("plain"); got != "plain" {
		t.Error(got)
	}
}

func TestClassify(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New("no"))
	timedOut, cancel := context.WithTimeoutCause(t.Context(), 0, errTimeout)
	defer cancel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx      context.Context
		err      error
		reason   installer.Reason
		terminal bool
	}{
		"forbidden":       {t.Context(), fmt.Errorf("x: %w", forbidden), installer.ReasonForbidden, false},
		"forbidden, flat": {t.Context(), errors.New(forbidden.Error()), installer.ReasonForbidden, false},
		"ownership":       {t.Context(), errors.New(`Unable to continue with install: ConfigMap "a" in namespace "b" exists and cannot be imported into the current release: x`), installer.ReasonReleaseConflict, true},
		"refused":         {t.Context(), errors.New("dial tcp 127.0.0.1:1: connect: connection refused"), installer.ReasonTargetUnreachable, false},
		"a reason within": {t.Context(), fmt.Errorf("x: %w", installer.Terminalf(installer.ReasonTooLarge, "y")), installer.ReasonTooLarge, true},
		"timed out":       {timedOut, errors.New("x"), installer.ReasonNotReady, false},
		"canceled":        {canceled, errors.New("x"), installer.ReasonCanceled, false},
		"a reason, late":  {timedOut, installer.Errorf(installer.ReasonHookFailed, "y"), installer.ReasonHookFailed, false},
		"anything":        {t.Context(), errors.New("x"), installer.ReasonInstallFailed, false},
		"overload":        {t.Context(), apierrors.NewTooManyRequestsError("x"), installer.ReasonInstallFailed, false},
	} {
		t.Run(name, func(t *testing.T) {
			wantReason(t, classify(test.ctx, test.err, "doing it", nil), test.reason, test.terminal, "doing it")
		})
	}
	if classify(t.Context(), nil, "x", nil) != nil {
		t.Error("no error became one")
	}
}
