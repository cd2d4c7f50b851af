// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// TestEtcdCluster has an etcd of three members lose one after the other.
func TestEtcdCluster(t *testing.T) {
	ctx := t.Context()
	b, err := Up(ctx, Options{})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	etcd, err := b.StartEtcdCluster(ctx, EtcdClusterOptions{Hosts: []string{"127.0.0.2"}})
	must(t, err)
	client, err := etcd.Client()
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	_, err = client.Put(ctx, "key", "value")
	must(t, err)

	follower, err := etcd.Follower(ctx)
	must(t, err)
	must(t, etcd.MoveLeader(ctx, follower))
	leader, err := etcd.Leader(ctx)
	must(t, err)
	if leader != follower {
		t.Fatalf("%s leads, want %s", leader.Name, follower.Name)
	}
	must(t, leader.Freeze())
	must(t, poll(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		_, err := etcd.Leader(ctx)
		return err
	}))
	must(t, leader.Thaw())
	leader.Kill()
	must(t, leader.Start(ctx))
	etcd.Kill()
	must(t, etcd.Start(ctx))

	elsewhere, err := etcd.client(etcd.Endpoints("127.0.0.2"))
	must(t, err)
	t.Cleanup(func() { _ = elsewhere.Close() })
	got, err := elsewhere.Get(ctx, "key")
	must(t, err)
	if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "value" {
		t.Errorf("the key is %v after all", got.Kvs)
	}

	stranger, err := clientv3.New(clientv3.Config{Endpoints: etcd.Endpoints(""), TLS: &tls.Config{RootCAs: pool(t, etcd.Cert.CAPEM)}, Logger: zap.NewNop()})
	must(t, err)
	t.Cleanup(func() { _ = stranger.Close() })
	asked, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := stranger.Get(asked, "key"); err == nil {
		t.Error("a client without a certificate was let in")
	}
}

func pool(t *testing.T, pem []byte) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the certificate authority is unreadable")
	}
	return roots
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
