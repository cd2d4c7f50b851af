// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// soon is what a rollback by hand has at the most; how long it took is logged.
const soon = time.Minute

// TestRollbackByHand upgrades to something that never becomes ready on one of two
// clusters. A user who may edit takes it back on that cluster alone, while the
// upgrade still waits: at once, on the record, and until somebody asks otherwise.
func TestRollbackByHand(t *testing.T) {
	ns := namespace(t, "one", "two")
	alice := userOf(t, ns, "alice", "edit")
	kubectl(t, generic(ns, "app", "podinfo-lite", "1.0.0", []string{"one", "two"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "app", v1alpha1.PhaseRunning)

	patch(t, ns, "app", `{"spec":{"autoInstall":{"timeoutSeconds":600,"helmConfig":{"version":"1.1.0","templateValues":true,
"values":{"minReadySeconds":"${target.clusterName == \"one\" ? 500 : 0}"}}}}}`)
	waitInstallation(t, ns, "app.two", "the upgrade to go through", func(i *v1alpha1.Installation) bool {
		return i.Status.Phase == v1alpha1.PhaseRunning && i.Status.ObservedGeneration == i.Generation && versionOf(i) == "1.1.0"
	})
	waitInstallation(t, ns, "app.one", "the upgrade to wait", func(i *v1alpha1.Installation) bool {
		return i.Status.Phase == v1alpha1.PhaseUpgrading && helmList(t, s.bed.Targets[0].Kubeconfig)["app/app"].Revision == "2"
	})

	began := time.Now()
	record := rollBack(t, alice, ns, "app.one", v1alpha1.RollbackRequestSpec{})
	i := waitInstallation(t, ns, "app.one", "the rollback", func(i *v1alpha1.Installation) bool {
		return i.Status.LastRequest == record.Status.ID && i.Status.Phase == v1alpha1.PhaseRunning
	})
	took := time.Since(began)
	t.Logf("rolled back %s after it was asked for, while the upgrade still waited", took.Round(time.Millisecond))
	if took > soon {
		t.Errorf("it took %s", took)
	}
	wantRolledBack(t, i, record, "alice")
	if r := helmList(t, s.bed.Targets[0].Kubeconfig)["app/app"]; r.Chart != "podinfo-lite-1.0.0" || r.Status != "deployed" || r.Revision != "3" {
		t.Errorf("the release is %+v", r)
	}
	if r := helmList(t, s.bed.Targets[1].Kubeconfig)["app/app"]; r.Chart != "podinfo-lite-1.1.0" || r.Revision != "2" {
		t.Errorf("the other cluster was touched: %+v", r)
	}
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		of, err := s.ksit.KsitV1alpha1().Integrations(ns).Get(ctx, "app", metav1.GetOptions{})
		return err == nil && of.Status.Installed == 1 && of.Status.Healthy == 2 && strings.Contains(of.Status.Message, "rolled back to revision 1 by alice")
	}) {
		t.Errorf("the Integration does not tell: %s", kubectl(t, "", "get", "integration", "app", "-n", ns, "-o", "yaml"))
	}

	t.Run("it holds through a kill", func(t *testing.T) {
		s.restart(t)
		waitTarget(t, ns, "one", metav1.ConditionTrue)
		for end := time.Now().Add(12 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
			if r := helmList(t, s.bed.Targets[0].Kubeconfig)["app/app"]; r.Revision != "3" {
				t.Fatalf("it was upgraded again: %+v", r)
			}
		}
		i := waitInstallation(t, ns, "app.one", "health", func(i *v1alpha1.Installation) bool { return i.Status.Phase == v1alpha1.PhaseRunning })
		wantRolledBack(t, i, record, "alice")
	})
	t.Run("a reconcile ends it", func(t *testing.T) {
		asked, err := alice.KsitV1alpha1().Installations(ns).Reconcile(t.Context(), "app.one", &v1alpha1.ReconcileRequest{}, metav1.CreateOptions{})
		must(t, err)
		waitInstallation(t, ns, "app.one", "the upgrade to begin again", func(i *v1alpha1.Installation) bool {
			return i.Status.Hold == nil && i.Status.LastOperation.ID == asked.Status.ID && i.Status.LastOperation.RequestedBy == "alice" &&
				i.Status.LastOperation.Type == v1alpha1.OperationUpgrade
		})
	})
	t.Run("a spec ends it", func(t *testing.T) {
		// The revision by its number, this time: the one before failed.
		again := rollBack(t, alice, ns, "app.one", v1alpha1.RollbackRequestSpec{Release: "app", Revision: 3})
		i := waitInstallation(t, ns, "app.one", "the rollback", func(i *v1alpha1.Installation) bool {
			return i.Status.LastRequest == again.Status.ID && i.Status.Phase == v1alpha1.PhaseRunning
		})
		if i.Status.Hold == nil || i.Status.Hold.Revision != 3 {
			t.Errorf("hold %+v", i.Status.Hold)
		}
		patch(t, ns, "app", `{"spec":{"autoInstall":{"timeoutSeconds":60,"helmConfig":{"version":"2.0.0","templateValues":false,"values":{"minReadySeconds":null}}}}}`)
		waitPhase(t, ns, "app", v1alpha1.PhaseRunning)
		i = waitInstallation(t, ns, "app.one", "the new spec", func(i *v1alpha1.Installation) bool {
			return i.Status.Phase == v1alpha1.PhaseRunning && versionOf(i) == "2.0.0"
		})
		if i.Status.Hold != nil {
			t.Errorf("it still holds: %+v", i.Status.Hold)
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		asked := rollBack(t, alice, ns, "app.two", v1alpha1.RollbackRequestSpec{Revision: 99})
		i := waitInstallation(t, ns, "app.two", "the answer", func(i *v1alpha1.Installation) bool { return i.Status.LastRequest == asked.Status.ID })
		o := i.Status.Operations[0]
		if o.ID != asked.Status.ID || o.Outcome != v1alpha1.OperationFailed || !strings.Contains(o.Message, "(deployed)") || i.Status.Hold != nil {
			t.Errorf("recorded as %+v, hold %+v", o, i.Status.Hold)
		}
		waitPhase(t, ns, "app", v1alpha1.PhaseRunning)
	})
	t.Run("who may not", func(t *testing.T) {
		bob := userOf(t, ns, "bob", "view")
		if _, err := bob.KsitV1alpha1().Installations(ns).Rollback(t.Context(), "app.one", &v1alpha1.RollbackRequest{}, metav1.CreateOptions{}); err == nil {
			t.Error("a viewer rolled back")
		}
		lines := &v1alpha1.InstallationLog{Lines: []v1alpha1.LogLine{{Time: metav1.NowMicro(), Message: "forged"}}}
		if _, err := alice.KsitV1alpha1().Installations(ns).AppendLog(t.Context(), "app.one", lines, metav1.CreateOptions{}); err == nil {
			t.Error("an editor wrote to the log")
		}
		log, err := readLog(t.Context(), bob, ns, "app.one")
		must(t, err)
		for _, part := range []string{"asked for by alice", "getting chart podinfo-lite", "objects applied", "no longer holds", "not ready yet"} {
			if !strings.Contains(log, part) {
				t.Errorf("the log lacks %q:\n%s", part, log)
			}
		}
	})
}

// TestOperationIsNotForged has an administrator write what only the subresources
// may.
func TestOperationIsNotForged(t *testing.T) {
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "honest", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "honest", v1alpha1.PhaseRunning)
	const forged = `{"id":"forged","type":"Rollback","revision":1,"requestedBy":"carol","requestedAt":"2026-11-01T12:00:00Z"}`
	installations := s.ksit.KsitV1alpha1().Installations(ns)
	_, err := installations.Patch(t.Context(), "honest.one", types.MergePatchType, []byte(`{"spec":{"operation":`+forged+`}}`), metav1.PatchOptions{})
	must(t, err)
	i, err := installations.Patch(t.Context(), "honest.one", types.ApplyPatchType,
		[]byte(`{"apiVersion":"ksit.io/v1alpha1","kind":"Installation","metadata":{"name":"honest.one"},"spec":{"integration":"honest","target":"one","type":"generic","operation":`+forged+`}}`),
		metav1.PatchOptions{FieldManager: "carol", Force: new(true)})
	must(t, err)
	i.Spec.Operation = &v1alpha1.OperationRequest{ID: "forged", Type: v1alpha1.OperationRollback, RequestedBy: "carol", RequestedAt: metav1.Now()}
	if i, err = installations.Update(t.Context(), i, metav1.UpdateOptions{}); err != nil || i.Spec.Operation != nil {
		t.Errorf("asks for %+v, %v", i.Spec.Operation, err)
	}
	kubectl(t, "", "annotate", "integration", "honest", "-n", ns, "reconcile=1", v1alpha1.AnnotationReconcileRequestedBy+"=carol")
	waitInstallation(t, ns, "honest.one", "the reconcile", func(i *v1alpha1.Installation) bool {
		return i.Status.LastReconcileRequest == "1" && i.Status.LastOperation.RequestedBy == whoAmI(t)
	})
}

// TestLogIsFollowed reads along while something is installed, and until it is
// deleted.
func TestLogIsFollowed(t *testing.T) {
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "told", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitInstallation(t, ns, "told.one", "it to be there", func(*v1alpha1.Installation) bool { return true })
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	stream, err := s.ksit.KsitV1alpha1().RESTClient().Get().Namespace(ns).Resource("installations").Name("told.one").SubResource("log").
		Param("follow", "true").Param("timestamps", "true").Stream(ctx)
	must(t, err)
	defer stream.Close()
	waitPhase(t, ns, "told", v1alpha1.PhaseRunning)
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		log, err := readLog(ctx, s.ksit, ns, "told.one")
		return err == nil && strings.Contains(log, "Running:")
	}) {
		t.Error("the log does not say that it is Running")
	}
	kubectl(t, "", "delete", "integration", "told", "-n", ns, "--timeout=100s")
	text, err := io.ReadAll(stream)
	if err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	for _, part := range []string{"Install begins, asked for by the spec: chart podinfo-lite 1.0.0", "getting chart", "Install succeeded", "Running:"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the log lacks %q:\n%s", part, text)
		}
	}
}

func versionOf(i *v1alpha1.Installation) string {
	if n := len(i.Status.Releases); n > 0 {
		return i.Status.Releases[n-1].Version
	}
	return ""
}

func wantRolledBack(t testing.TB, i *v1alpha1.Installation, record *v1alpha1.RollbackRequest, by string) {
	t.Helper()
	if hold := i.Status.Hold; hold == nil || hold.Revision != 1 || hold.RequestedBy != by || hold.Since.IsZero() {
		t.Errorf("hold %+v", hold)
	}
	if !strings.Contains(i.Status.Message, "rolled back to revision 1 by "+by) || meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionStalled) {
		t.Errorf("message %q, conditions %+v", i.Status.Message, i.Status.Conditions)
	}
	for _, o := range i.Status.Operations {
		if o.ID == record.Status.ID {
			if o.Type != v1alpha1.OperationRollback || o.Outcome != v1alpha1.OperationSucceeded || o.RequestedBy != by || o.Revision != 1 || o.StartedAt.IsZero() || o.FinishedAt == nil {
				t.Errorf("recorded as %+v", o)
			}
			return
		}
	}
	t.Errorf("not recorded: %+v", i.Status.Operations)
}

func rollBack(t testing.TB, client versioned.Interface, namespace, name string, spec v1alpha1.RollbackRequestSpec) *v1alpha1.RollbackRequest {
	t.Helper()
	record, err := client.KsitV1alpha1().Installations(namespace).Rollback(t.Context(), name, &v1alpha1.RollbackRequest{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("asking for a rollback of %s/%s: %v", namespace, name, err)
	}
	if record.Status.ID == "" {
		t.Fatalf("answered %+v", record)
	}
	return record
}

// userOf is a user with a role of the host in a namespace.
func userOf(t testing.TB, namespace, name, role string) versioned.Interface {
	t.Helper()
	kubectl(t, "", "create", "rolebinding", name, "-n", namespace, "--clusterrole="+role, "--user="+name)
	config := rest.CopyConfig(s.bed.Host.RESTConfig())
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	client, err := versioned.NewForConfig(config)
	must(t, err)
	// The roles are joined up, and seen by the authorizer, after a moment.
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		_, err := client.KsitV1alpha1().Installations(namespace).List(ctx, metav1.ListOptions{})
		return err == nil
	}) {
		t.Fatalf("user %s gets no rights", name)
	}
	return client
}

func readLog(ctx context.Context, client versioned.Interface, namespace, name string) (string, error) {
	data, err := client.KsitV1alpha1().RESTClient().Get().Namespace(namespace).Resource("installations").Name(name).SubResource("log").DoRaw(ctx)
	return string(data), err
}

// whoAmI is the name of the user that kubectl acts as.
func whoAmI(t testing.TB) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, "", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"))
}
