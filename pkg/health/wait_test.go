// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/test/env"
)

// workload returns a Deployment or Job whose pods come to the outcome.
func workload(t *testing.T, kind, namespace, name, outcome string) *unstructured.Unstructured {
	t.Helper()
	annotations := ""
	if outcome != "" {
		annotations = fmt.Sprintf("annotations: {%s: %s}, ", env.PodOutcome, outcome)
	}
	spec := fmt.Sprintf(`template: {metadata: {%slabels: {app: %s}}, spec: {restartPolicy: %s, containers: [{name: main, image: example.test/i:1}]}}`,
		annotations, name, map[string]string{"Job": "Never"}[kind]+map[string]string{"Deployment": "Always"}[kind])
	version := "batch/v1"
	switch kind {
	case "Deployment":
		version = "apps/v1"
		spec += fmt.Sprintf(", selector: {matchLabels: {app: %s}}", name)
	case "Job":
		spec += ", backoffLimit: 0"
	}
	return parseAll(t, fmt.Appendf(nil, "apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec: {%s}\n", version, kind, name, namespace, spec))[0]
}

func (f *fixture) testWait(t *testing.T) {
	const ns = "wait"
	var objects []*unstructured.Unstructured
	for i := range 5 {
		objects = append(objects, workload(t, "Deployment", ns, fmt.Sprint("web", i), ""))
	}
	objects = append(objects, parseAll(t, []byte(`
apiVersion: v1
kind: Service
metadata: {name: web, namespace: wait}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: wait}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: waits.health.test}
spec:
  group: health.test
  scope: Namespaced
  names: {plural: waits, kind: Wait}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: health.test/v1
kind: Wait
metadata: {name: one, namespace: wait}
`))...)
	ids := f.create(t, objects...)
	// A Job is not waited for unless asked.
	ids = append(ids, f.create(t, workload(t, "Job", ns, "never", env.PodPending))...)
	var progress []string
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	err := health.Wait(ctx, f.conn, ids, health.WaitOptions{OnProgress: func(line string) { progress = append(progress, line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d objects were ready in %v; %q", len(ids), time.Since(start), progress)
	start = time.Now()
	if err := health.Wait(ctx, f.conn, ids, health.WaitOptions{}); err != nil || time.Since(start) > time.Second {
		t.Errorf("waiting for what is ready took %v: %v", time.Since(start), err)
	}
}

func (f *fixture) testWaitInVain(t *testing.T) {
	ids := f.create(t, workload(t, "Deployment", "vain", "good", ""), workload(t, "Deployment", "vain", "bad", env.PodPending))
	ids = append(ids, id("health.test", "Nowhere", "vain", "x"), id("", "Service", "vain", "gone"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err := health.Wait(ctx, f.conn, ids, health.WaitOptions{})
	var waited *health.WaitError
	if !errors.As(err, &waited) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if waited.Pending != 3 || waited.Total != 4 {
		t.Errorf("got %+v", waited)
	}
	for _, part := range []string{
		"3 of 4 objects are not ready", "Deployment vain/bad: ", "pod bad-",
		"Service vain/gone: does not exist", "Nowhere vain/x: the cluster does not serve the kind Nowhere.health.test",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in the error: %v", part, err)
		}
	}
}

func (f *fixture) testWaitJobs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	good := f.create(t, workload(t, "Job", "jobs", "good", ""))
	if err := health.Wait(ctx, f.conn, good, health.WaitOptions{Jobs: true}); err != nil {
		t.Error(err)
	}
	bad := f.create(t, workload(t, "Job", "jobs", "bad", env.PodFailed), workload(t, "Deployment", "jobs", "slow", env.PodPending))
	start := time.Now()
	err := health.Wait(ctx, f.conn, bad, health.WaitOptions{Jobs: true})
	if err == nil || !strings.Contains(err.Error(), "Job jobs/bad") || ctx.Err() != nil {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func (f *fixture) testWaitDeleted(t *testing.T) {
	objects := parseAll(t, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: deleted}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: deleted, finalizers: [health.test/keep]}\n"))
	ids := f.create(t, objects...)
	ids = append(ids, id("health.test", "Nowhere", "deleted", "x"))
	for _, id := range ids[:2] {
		f.remove(t, id)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := health.WaitDeleted(ctx, f.conn, ids)
	if err == nil || !strings.Contains(err.Error(), "1 of 3") || !strings.Contains(err.Error(), "health.test/keep") {
		t.Errorf("got %v", err)
	}
	f.patch(t, ids[1], map[string]any{"metadata": map[string]any{"finalizers": nil}})
	if err := health.WaitDeleted(t.Context(), f.conn, object.ObjMetadataSet(ids)); err != nil {
		t.Error(err)
	}
}
