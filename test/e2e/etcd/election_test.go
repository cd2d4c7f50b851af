// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/test/bed"
)

// TestServersElect has two processes that are everything share one etcd: the
// controllers of one of them work, and those of the other when it is killed.
func TestServersElect(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	first, err := w.StartKSIT(ctx, bed.KSITOptions{Binary: binary(), Artifacts: artifacts, Args: append(w.etcd.Flags(),
		"--leader-elect-lease-duration=5s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=500ms")})
	must(t, err)
	keepLog(t, first.Process)
	holder := w.holder(t, "")
	port := freePort(t)
	second := first.With("ksit-2", []string{"--secure-port=" + strconv.Itoa(port), "--data-dir=" + first.DataDir + "-2"}, nil)
	must(t, second.Process.Start())
	keepLog(t, second.Process)
	other := w.server(t, second, fmt.Sprintf("https://127.0.0.1:%d", port))
	wait(t, "the second is ready", func(ctx context.Context) error { return other.health(ctx, "/readyz") })
	w.looked(t, other, "before")
	if now := w.holder(t, ""); now != holder {
		t.Errorf("the Lease went from %s to %s without a reason", holder, now)
	}
	first.Process.Kill()
	w.holder(t, holder)
	w.looked(t, other, "after")
}

// holder waits until somebody other than the one given holds the Lease.
func (w *world) holder(t *testing.T, other string) (holder string) {
	t.Helper()
	client, err := w.Host.Client()
	must(t, err)
	took := wait(t, "somebody leads", func(ctx context.Context) error {
		lease, err := client.CoordinationV1().Leases("ksit-system").Get(ctx, "ksit-controller-manager", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" || *lease.Spec.HolderIdentity == other {
			return errors.New("the Lease is not held by another than " + other)
		}
		holder = *lease.Spec.HolderIdentity
		return nil
	})
	t.Logf("after %s %s leads", round(took), holder)
	return holder
}

// looked waits until controllers have looked at a new object.
func (w *world) looked(t *testing.T, server *server, name string) {
	t.Helper()
	api := server.ksit.KsitV1alpha1().IntegrationTargets(namespace)
	_, err := api.Create(t.Context(), target(name), metav1.CreateOptions{})
	must(t, err)
	wait(t, "controllers look at "+name, func(ctx context.Context) error {
		found, err := api.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(found.Status.Conditions) == 0 {
			return errors.New("it has no conditions")
		}
		return nil
	})
}
