// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"ksit.io/ksit/pkg/etcd"
	"ksit.io/ksit/pkg/etcd/endpoint"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func attach(t *testing.T, dir string) *endpoint.Connection {
	t.Helper()
	connection, err := endpoint.Start(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { must(t, connection.Close()) })
	return connection
}

// filled starts an etcd with keys.
func filled(t *testing.T, keys int) (dir string, client *clientv3.Client) {
	t.Helper()
	dir = t.TempDir()
	server, err := etcd.Open(t.Context(), etcd.Options{Dir: dir, UnsafeNoFsync: true})
	must(t, err)
	client, err = endpoint.Dial(t.Context(), endpoint.Options{Servers: []string{server.Endpoint()}})
	must(t, err)
	t.Cleanup(func() {
		_ = client.Close()
		must(t, server.Close())
	})
	var puts []clientv3.Op
	for n := range keys {
		puts = append(puts, clientv3.OpPut(fmt.Sprintf("key-%05d", n), strings.Repeat("v", n%700)))
		if len(puts) == 100 || n == keys-1 {
			_, err := client.Txn(t.Context()).Then(puts...).Commit()
			must(t, err)
			puts = nil
		}
	}
	return dir, client
}

func TestSnapshotIsRestored(t *testing.T) {
	const keys = 10_000
	_, client := filled(t, keys)
	file := filepath.Join(t.TempDir(), "ksit.db")
	saved, err := SaveFile(t.Context(), client, file, false)
	must(t, err)
	stat, err := os.Stat(file)
	must(t, err)
	if stat.Mode().Perm() != 0o600 || stat.Size() != saved.Bytes {
		t.Errorf("the file has mode %o and %d bytes, want 600 and %d", stat.Mode().Perm(), stat.Size(), saved.Bytes)
	}
	later, err := client.Put(t.Context(), "later", "than the snapshot")
	must(t, err)

	dir := filepath.Join(t.TempDir(), "data")
	info, err := Restore(t.Context(), file, dir, DefaultRevisionBump)
	must(t, err)
	if info.Keys != keys {
		t.Errorf("the snapshot has %d keys", info.Keys)
	}
	restored := attach(t, dir)
	got, err := restored.Get(t.Context(), "", clientv3.WithPrefix())
	must(t, err)
	if len(got.Kvs) != keys {
		t.Fatalf("%d keys were restored, want %d", len(got.Kvs), keys)
	}
	for n, kv := range got.Kvs {
		if string(kv.Key) != fmt.Sprintf("key-%05d", n) || len(kv.Value) != n%700 {
			t.Fatalf("%s has a value of %d bytes", kv.Key, len(kv.Value))
		}
	}
	if got.Header.Revision <= later.Header.Revision {
		t.Errorf("what was restored begins at revision %d; %d was seen before", got.Header.Revision, later.Header.Revision)
	}
	// Who watched what came after the snapshot learns that it must read anew.
	watch := restored.Watch(t.Context(), "", clientv3.WithPrefix(), clientv3.WithRev(later.Header.Revision))
	if event := <-watch; !errors.Is(event.Err(), rpctypes.ErrCompacted) {
		t.Errorf("a watch from a revision after the snapshot is told %v, want %v", event.Err(), rpctypes.ErrCompacted)
	}
}

func TestFileIsNotOverwritten(t *testing.T) {
	_, client := filled(t, 10)
	dir := t.TempDir()
	file := filepath.Join(dir, "ksit.db")
	must(t, os.WriteFile(file, []byte("last week's"), 0o600))
	if _, err := SaveFile(t.Context(), client, file, false); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Fatalf("SaveFile() = %v over a file", err)
	}
	_, err := SaveFile(t.Context(), client, file, true)
	must(t, err)
	_, err = Inspect(file)
	must(t, err)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := SaveFile(stopped, client, filepath.Join(dir, "other.db"), false); err == nil {
		t.Error("a snapshot was written in no time")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("in the directory are %v (error %v), want the one file", entries, err)
	}
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	_, client := filled(t, 1000)
	var good bytes.Buffer
	_, err := Save(t.Context(), client, &good)
	must(t, err)
	flipped := bytes.Clone(good.Bytes())
	flipped[len(flipped)/2] ^= 1
	tests := map[string]struct {
		content []byte
		want    string
	}{
		"truncated":           {good.Bytes()[:good.Len()/2+7], "cut off"},
		"truncated at a page": {good.Bytes()[:good.Len()-4096], "damaged"},
		"without its hash":    {good.Bytes()[:good.Len()-32], "cut off"},
		"a bit flipped":       {flipped, "damaged"},
		"something else":      {[]byte("kind: Secret"), "no snapshot"},
		"empty":               {nil, "no snapshot"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ksit.db")
			must(t, os.WriteFile(file, test.content, 0o600))
			dir := filepath.Join(t.TempDir(), "data")
			if _, err := Restore(t.Context(), file, dir, 1); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Restore() = %v, want an error with %q", err, test.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the data directory was made")
			}
		})
	}
	if _, err := Restore(t.Context(), filepath.Join(t.TempDir(), "none.db"), t.TempDir(), 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
}

func TestRestoreTouchesNoData(t *testing.T) {
	used, client := filled(t, 10)
	file := filepath.Join(t.TempDir(), "ksit.db")
	_, err := SaveFile(t.Context(), client, file, false)
	must(t, err)
	if _, err := Restore(t.Context(), file, used, 1); !errors.Is(err, etcd.ErrInUse) {
		t.Errorf("into a directory that a server uses: %v, want %v", err, etcd.ErrInUse)
	}
	dir := t.TempDir()
	_, err = Restore(t.Context(), file, dir, 1)
	must(t, err)
	if _, err := Restore(t.Context(), file, dir, 1); !errors.Is(err, ErrHasData) || !strings.Contains(err.Error(), "move") {
		t.Errorf("into a directory with data: %v, want %v and what to do", err, ErrHasData)
	}
	// What a process that was killed left does not hinder.
	other := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(other, "member.restoring", "member"), 0o700))
	must(t, os.WriteFile(filepath.Join(other, "member.restoring", "member", "db"), []byte("half"), 0o600))
	// But a server does not begin with nothing in its stead.
	if _, err := endpoint.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), "did not come to its end") {
		t.Errorf("a server on half a restore: %v", err)
	}
	_, err = Restore(t.Context(), file, other, 1)
	must(t, err)
	must(t, attach(t, other).Sync(t.Context()))
}

// TestAttach reaches the etcd of a data directory, whether it runs or not.
func TestAttach(t *testing.T) {
	dir, client := filled(t, 10)
	running, err := endpoint.Attach(t.Context(), dir)
	must(t, err)
	got, err := running.Get(t.Context(), "", clientv3.WithPrefix(), clientv3.WithCountOnly())
	must(t, err)
	must(t, running.Close())
	if got.Count != 10 {
		t.Errorf("%d keys are there", got.Count)
	}
	if _, err := client.Get(t.Context(), "key-00000"); err != nil {
		t.Errorf("the server that was attached to: %v", err)
	}
	if _, err := endpoint.Own(t.Context(), dir); !errors.Is(err, etcd.ErrInUse) {
		t.Errorf("Own() of a running etcd = %v, want %v", err, etcd.ErrInUse)
	}
	none := filepath.Join(t.TempDir(), "dta")
	if _, err := endpoint.Attach(t.Context(), none); !errors.Is(err, etcd.ErrNoData) {
		t.Errorf("Attach() to nothing = %v, want %v", err, etcd.ErrNoData)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a wrong name made a directory")
	}
}
