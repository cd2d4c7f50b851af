// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
	jsonlogs "k8s.io/component-base/logs/json"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// logged runs a simulation with a logger of its own: an install, an upgrade that
// fails, is tried again and rolled back, a rollback by hand that finds no revision,
// and a reconcile that was asked for.
func logged(t *testing.T, logger klog.Logger) {
	t.Helper()
	s := simulate(t)
	s.ctx = klog.NewContext(t.Context(), logger)
	s.run(time.Minute)
	s.installer.applyErr = installer.Errorf(installer.ReasonNotReady, "Deployment app/app:\nno image")
	retries := int32(1)
	s.change(func(i *v1alpha1.Installation) {
		i.Spec.AutoInstall.HelmConfig.Version = "2.0.0"
		i.Spec.AutoInstall.Remediation = &v1alpha1.Remediation{Retries: &retries}
	})
	s.run(time.Hour)
	s.installer.rollbackErr = installer.Terminalf(installer.ReasonRevisionNotFound, "there is no revision 9: there are 1 (deployed)")
	s.ask("r1", v1alpha1.OperationRollback, 9)
	s.run(time.Minute)
	s.installer.applyErr = nil
	s.ask("c1", v1alpha1.OperationReconcile, 0)
	s.run(time.Minute)
}

// TestOneLineForEachOperation holds the lines and their fields, in both formats. Of
// times it holds only that they are there.
func TestOneLineForEachOperation(t *testing.T) {
	common := map[string]any{"integration": "argocd", "namespace": "ns", "target": "one", "type": "generic", "method": "helm", "chart": "app"}
	with := func(fields map[string]any) map[string]any {
		for key, value := range common {
			if _, given := fields[key]; !given {
				fields[key] = value
			}
		}
		return fields
	}
	want := []map[string]any{
		with(map[string]any{"msg": "✅ Install succeeded", "operation": "Install", "outcome": "Succeeded", "reason": "Succeeded", "requestedBy": "the spec",
			"attempt": 1.0, "version": "1.0.0", "message": "applied", "releases": []any{"app/app@1.0.0"}, "changed": true}),
		with(map[string]any{"msg": "ERROR Upgrade failed", "operation": "Upgrade", "outcome": "Failed", "reason": "NotReady", "requestedBy": "the spec",
			"attempt": 1.0, "version": "2.0.0", "err": "Deployment app/app: no image", "releases": []any{"app/app@2.0.0"}, "nextRetry": "…"}),
		with(map[string]any{"msg": "ERROR Upgrade failed", "operation": "Upgrade", "outcome": "Failed", "reason": "NotReady", "requestedBy": "a retry",
			"attempt": 2.0, "version": "2.0.0", "err": "Deployment app/app: no image", "releases": []any{"app/app@2.0.0"}}),
		with(map[string]any{"msg": "✅ Rollback succeeded", "operation": "Rollback", "outcome": "Succeeded", "reason": "Succeeded", "requestedBy": "the spent retries",
			"attempt": 3.0, "version": "2.0.0", "message": "brought back [app/app@2.0.0]", "releases": []any{"app/app@2.0.0"}}),
		with(map[string]any{"msg": "ERROR Rollback failed", "operation": "Rollback", "outcome": "Failed", "reason": "RevisionNotFound", "requestedBy": "alice",
			"attempt": 1.0, "version": "2.0.0", "err": "there is no revision 9: there are 1 (deployed)", "releases": []any{"app/app@2.0.0"}, "request": "r1", "revision": 9.0}),
		with(map[string]any{"msg": "✅ Upgrade succeeded", "operation": "Upgrade", "outcome": "Succeeded", "reason": "Succeeded", "requestedBy": "alice",
			"attempt": 1.0, "version": "2.0.0", "message": "applied", "releases": []any{"app/app@2.0.0"}, "changed": true, "request": "c1"}),
	}
	t.Run("json", func(t *testing.T) {
		var out bytes.Buffer
		synctest.Test(t, func(t *testing.T) {
			logger, _ := jsonlogs.NewJSONLogger(0, zapcore.AddSync(&out), nil, nil)
			logged(t, logger)
		})
		var got []map[string]any
		for line := range strings.Lines(out.String()) {
			var entry map[string]any
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatalf("no JSON: %s", line)
			}
			if _, ok := entry["duration"].(string); !ok {
				t.Errorf("no duration: %s", line)
			}
			if entry["nextRetry"] != nil {
				entry["nextRetry"] = "…"
			}
			for _, key := range []string{"ts", "v", "duration", "caller"} {
				delete(entry, key)
			}
			got = append(got, entry)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got)\n%s", diff)
		}
	})
	t.Run("text", func(t *testing.T) {
		var out bytes.Buffer
		synctest.Test(t, func(t *testing.T) {
			logged(t, textlogger.NewLogger(textlogger.NewConfig(textlogger.Verbosity(0), textlogger.Output(&out))))
		})
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != len(want) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out.String())
		}
		for n, line := range lines {
			msg := want[n]["msg"].(string)
			if !strings.Contains(line, `"`+msg+`"`) || !strings.Contains(line, ` requestedBy="`+want[n]["requestedBy"].(string)+`"`) {
				t.Errorf("line %d is %s\nwant %s", n, line, msg)
			}
		}
	})
}

// TestInterruptedOperationIsLogged has a new spec end a rollback that hangs.
func TestInterruptedOperationIsLogged(t *testing.T) {
	var out bytes.Buffer
	record := newRecord(observed{now: time.Now()}, v1alpha1.OperationInstall, "the spec")
	ctx := klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&out))))
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(errSuperseded)
	i := upToDate().installation
	c := &Controller{Log: &linesSaid{}}
	if interrupted, err := c.interrupted(ctx, i, record, installer.Result{}); !interrupted || err != nil {
		t.Fatalf("%t, %v", interrupted, err)
	}
	if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `"Install was cut short"`) || !strings.Contains(line, `outcome="Interrupted" reason="Superseded"`) {
		t.Errorf("logged %s", line)
	}
}
