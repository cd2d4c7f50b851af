// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"path/filepath"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcd is a client of the etcd in the data directory of the KSIT that runs.
func (w *world) etcd(t *testing.T) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"unix://" + filepath.Join(w.run.DataDir, "etcd.sock")}, Context: t.Context(), Logger: zap.NewNop(),
	})
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// forget takes what is under prefixes out of KSIT's etcd, past the API: it is lost,
// and nothing is uninstalled for it.
func (w *world) forget(t *testing.T, prefixes ...string) {
	t.Helper()
	client := w.etcd(t)
	for _, prefix := range prefixes {
		gone, err := client.Delete(t.Context(), "/registry/ksit.io/"+prefix+"/", clientv3.WithPrefix())
		must(t, err)
		if gone.Deleted == 0 {
			t.Fatalf("there is nothing under %s", prefix)
		}
	}
}
