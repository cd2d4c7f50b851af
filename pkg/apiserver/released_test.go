// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// newerVariable names a directory with data of a newer KSIT, for
// hack/verify-compatibility.sh to have a former release read it.
const newerVariable = "KSIT_NEWER_DATA"

// TestDataOfReleases starts a server on what each release has stored. It shows all of
// it as that release did, lets it be changed, and keeps it under the same keys.
func TestDataOfReleases(t *testing.T) {
	dirs, err := filepath.Glob("testdata/v*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no data of a release: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, shown, err := readData(dir)
			if err != nil {
				t.Fatal(err)
			}
			f := startOnData(t, data)
			if diff := cmp.Diff(shown, f.show(t), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what the release stored is shown otherwise (-release +now):\n%s", diff)
			}
			f.rewriteAll(t)
			if diff := cmp.Diff(keysOf(data), keysOf(dump(t, f.etcd))); diff != "" {
				t.Errorf("the keys have moved (-release +now):\n%s", diff)
			}
		})
	}
}

// TestDataOfANewerRelease reads what a newer KSIT stored, as this one would after it
// was put back in its place: everything can be read and changed. Fields that this
// one does not know are lost when it writes an object, and nothing else.
func TestDataOfANewerRelease(t *testing.T) {
	dir := os.Getenv(newerVariable)
	if dir == "" {
		// The present one is as new as it gets.
		dir = t.TempDir()
		f := start(t)
		fill(t, f)
		if err := writeData(dir, dump(t, f.etcd), f.show(t)); err != nil {
			t.Fatal(err)
		}
	}
	data, _, err := readData(dir)
	if err != nil && data == nil {
		t.Fatal(err)
	}
	f := startOnData(t, data)
	shown := f.show(t)
	if n := len(shown.Integrations) + len(shown.IntegrationTargets) + len(shown.Installations) + len(shown.Logs) - 1; n < len(data) {
		t.Errorf("%d of %d keys are shown", n, len(data))
	}
	f.rewriteAll(t)
}

// rewriteAll changes every object and its status, by which it is stored anew.
func (f *fixture) rewriteAll(t *testing.T) {
	t.Helper()
	ksit, ctx := f.ksit.KsitV1alpha1(), t.Context()
	shown := f.show(t)
	for _, i := range shown.Integrations {
		i.Labels = map[string]string{"changed": "yes"}
		updated, err := ksit.Integrations(i.Namespace).Update(ctx, &i, metav1.UpdateOptions{})
		if err != nil {
			t.Fatalf("changing Integration %s: %v", i.Name, err)
		}
		if updated.Generation != i.Generation || !cmp.Equal(updated.Spec, i.Spec, cmpopts.EquateEmpty()) {
			t.Errorf("Integration %s: a label has changed its spec:\n%s", i.Name, cmp.Diff(i.Spec, updated.Spec))
		}
		updated.Status.Phase = v1alpha1.PhaseRunning
		if _, err := ksit.Integrations(i.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{}); err != nil {
			t.Fatalf("changing the status of Integration %s: %v", i.Name, err)
		}
	}
	for _, target := range shown.IntegrationTargets {
		target.Labels = map[string]string{"changed": "yes"}
		updated, err := ksit.IntegrationTargets(target.Namespace).Update(ctx, &target, metav1.UpdateOptions{})
		if err != nil || updated.Generation != target.Generation {
			t.Fatalf("changing IntegrationTarget %s: %v", target.Name, err)
		}
		updated.Status.Ready = !updated.Status.Ready
		if _, err := ksit.IntegrationTargets(target.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{}); err != nil {
			t.Fatalf("changing the status of IntegrationTarget %s: %v", target.Name, err)
		}
	}
	for _, i := range shown.Installations {
		i.Labels = map[string]string{"changed": "yes"}
		updated, err := ksit.Installations(i.Namespace).Update(ctx, &i, metav1.UpdateOptions{})
		if err != nil || updated.Generation != i.Generation {
			t.Fatalf("changing Installation %s: %v", i.Name, err)
		}
		updated.Status.Phase = v1alpha1.PhaseRunning
		if _, err := ksit.Installations(i.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{}); err != nil {
			t.Fatalf("changing the status of Installation %s: %v", i.Name, err)
		}
		lines := &v1alpha1.InstallationLog{Lines: []v1alpha1.LogLine{{Time: metav1.NowMicro(), Message: "one more"}}}
		if shown.Logs[i.Namespace+"/"+i.Name] == "" {
			continue
		}
		if _, err := ksit.Installations(i.Namespace).AppendLog(ctx, i.Name, lines, metav1.CreateOptions{}); err != nil {
			t.Fatalf("writing to the log of Installation %s: %v", i.Name, err)
		}
	}
}

func keysOf(data []stored) []string {
	keys := make([]string, 0, len(data))
	for _, s := range data {
		keys = append(keys, s.Key)
	}
	return keys
}
