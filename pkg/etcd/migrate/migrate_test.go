// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"ksit.io/ksit/pkg/etcd"
	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/snapshot"
)

const (
	prefix  = "/registry"
	objects = 10_000
)

// open starts an etcd, and returns a client of it.
func open(t testing.TB, dir string) *clientv3.Client {
	t.Helper()
	server, err := etcd.Open(t.Context(), etcd.Options{Dir: dir, UnsafeNoFsync: true})
	must(t, err)
	client, err := endpoint.Dial(t.Context(), endpoint.Options{Servers: []string{server.Endpoint()}})
	must(t, err)
	t.Cleanup(func() {
		_ = client.Close()
		must(t, server.Close())
	})
	return client
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill writes objects of three kinds, of several sizes and with any bytes in them,
// and keys that are not KSIT's.
func fill(t testing.TB, client *clientv3.Client, count int) {
	t.Helper()
	var puts []clientv3.Op
	flush := func() {
		_, err := client.Txn(t.Context()).Then(puts...).Commit()
		must(t, err)
		puts = nil
	}
	for n := range count {
		resource := []string{"integrations", "integrationtargets", "installations"}[n%3]
		puts = append(puts, clientv3.OpPut(
			fmt.Sprintf("%s/ksit.io/%s/default/object-%05d", prefix, resource, n),
			strings.Repeat(string([]byte{'k', 0, 255, byte(n)}), n%500)))
		if len(puts) == 100 {
			flush()
		}
	}
	puts = append(puts,
		clientv3.OpPut(prefix+"/ksit.io.example/thing", "somebody else's"),
		clientv3.OpPut(prefix+"/pods/default/one", "somebody else's"),
		clientv3.OpPut("/other/ksit.io/integrations/default/one", "another prefix"))
	flush()
}

func digest(t testing.TB, client *clientv3.Client) map[string]Digest {
	t.Helper()
	all, err := digests(t.Context(), client, Keys(prefix), 0)
	must(t, err)
	return all
}

func equal(t testing.TB, from, to *clientv3.Client, count int64) {
	t.Helper()
	want, got := digest(t, from), digest(t, to)
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Errorf("the copy is %v, want %v", got, want)
	}
	if keys := (Result{Resources: got}).Keys(); keys != count {
		t.Errorf("%d keys were copied, want %d", keys, count)
	}
}

func count(t testing.TB, client *clientv3.Client, start string) int64 {
	t.Helper()
	found, err := client.Get(t.Context(), start, clientv3.WithPrefix(), clientv3.WithCountOnly())
	must(t, err)
	return found.Count
}

func TestRun(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, objects)
	// Much history, so that the revision of the source is far ahead.
	for range 500 {
		_, err := from.Put(t.Context(), prefix+"/ksit.io/integrations/default/object-00000", "again")
		must(t, err)
	}
	_, err := to.Put(t.Context(), "/registry/pods/default/kept", "somebody else's")
	must(t, err)

	result, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix, Margin: 1000})
	must(t, err)
	equal(t, from, to, objects)
	if result.Keys() != objects {
		t.Errorf("the result has %d keys", result.Keys())
	}
	if all := count(t, to, ""); all != objects+1 {
		t.Errorf("the destination has %d keys, want those of KSIT and the one of its own", all)
	}
	oldest, err := to.Get(t.Context(), Keys(prefix), clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(1),
		clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortAscend))
	must(t, err)
	if got := oldest.Kvs[0].ModRevision; got <= result.FromRevision+1000 {
		t.Errorf("an object of the copy has revision %d; the source had come to %d", got, result.FromRevision)
	}
	unfinished, err := Unfinished(t.Context(), to, prefix)
	if err != nil || unfinished {
		t.Errorf("Unfinished() = %v, %v after the end", unfinished, err)
	}
}

func TestDestinationIsKept(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, 300)
	fill(t, to, 6)
	if _, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix}); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("Run() = %v, want %v", err, ErrNotEmpty)
	}
	if got := count(t, to, Keys(prefix)); got != 6 {
		t.Fatalf("the destination that was refused has %d keys", got)
	}
	_, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix, Overwrite: true})
	must(t, err)
	equal(t, from, to, 300)
	if got := count(t, to, "/other/"); got != 1 {
		t.Error("what is not KSIT's was deleted")
	}
}

func TestWrongSource(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, 3)
	if _, err := Run(t.Context(), Options{From: from, To: to, Prefix: "/elsewhere"}); !errors.Is(err, ErrEmpty) {
		t.Errorf("Run() = %v, want %v", err, ErrEmpty)
	}
	if got := count(t, to, ""); got != 0 {
		t.Errorf("the destination has %d keys", got)
	}
}

// TestChangedSource has a KSIT go on while keys are copied.
func TestChangedSource(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	fill(t, from, 3000)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for n := 0; ctx.Err() == nil; n++ {
			_, _ = from.Put(ctx, prefix+"/ksit.io/integrations/default/new", fmt.Sprint(n))
		}
	}()
	if _, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix}); !errors.Is(err, ErrChanged) {
		t.Fatalf("Run() = %v, want %v", err, ErrChanged)
	}
	if unfinished, err := Unfinished(t.Context(), to, prefix); err != nil || !unfinished {
		t.Errorf("Unfinished() = %v, %v", unfinished, err)
	}
	stop()
	// Whatever was copied gives way to what is there now.
	for {
		_, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix})
		if err == nil {
			break
		}
		if !errors.Is(err, ErrChanged) { // the last write may have been under way
			t.Fatal(err)
		}
	}
	equal(t, from, to, 3001)
}

func TestRevisionTooFar(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	must(t, snapshot.Fresh(t.Context(), dir, maxAdvance+1000))
	from, to := open(t, dir), open(t, t.TempDir())
	fill(t, from, 3)
	if _, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix}); !errors.Is(err, ErrTooFar) {
		t.Errorf("Run() = %v, want %v", err, ErrTooFar)
	}
	// An embedded etcd begins wherever it must.
	_, _, err := IntoDataDir(t.Context(), filepath.Join(t.TempDir(), "data"), Options{From: from, Prefix: prefix})
	must(t, err)
}

func TestIntoDataDir(t *testing.T) {
	from := open(t, t.TempDir())
	fill(t, from, objects)
	dir := filepath.Join(t.TempDir(), "data")
	result, kept, err := IntoDataDir(t.Context(), dir, Options{From: from, Prefix: prefix, Margin: 5})
	must(t, err)
	if kept != "" {
		t.Errorf("%s was kept of an empty directory", kept)
	}
	_, _, err = IntoDataDir(t.Context(), dir, Options{From: from, Prefix: prefix})
	if !errors.Is(err, snapshot.ErrHasData) {
		t.Fatalf("into a directory with data: %v, want %v", err, snapshot.ErrHasData)
	}
	_, kept, err = IntoDataDir(t.Context(), dir, Options{From: from, Prefix: prefix, Overwrite: true})
	must(t, err)
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("what was overwritten is not kept: %v", err)
	}
	to := open(t, dir)
	equal(t, from, to, objects)
	if now, err := to.Get(t.Context(), "x"); err != nil || now.Header.Revision <= result.FromRevision {
		t.Errorf("the copy is at revision %d (error %v), the source at %d", now.Header.Revision, err, result.FromRevision)
	}
	if _, _, err := IntoDataDir(t.Context(), dir, Options{From: from, Prefix: prefix, Overwrite: true}); !errors.Is(err, etcd.ErrInUse) {
		t.Errorf("into a directory that a server uses: %v, want %v", err, etcd.ErrInUse)
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if entry.Name() == "migrating" {
			t.Error("the half-made copy was left")
		}
	}
}

const (
	fromVariable = "KSIT_TEST_MIGRATE_FROM"
	toVariable   = "KSIT_TEST_MIGRATE_TO"
)

// TestMigrateProcess is the process that TestKill kills.
func TestMigrateProcess(t *testing.T) {
	from, to := os.Getenv(fromVariable), os.Getenv(toVariable)
	if from == "" {
		t.Skip("runs only as a child of TestKill")
	}
	source, err := endpoint.Dial(t.Context(), endpoint.Options{Servers: []string{from}})
	must(t, err)
	fmt.Println("begins")
	if dir, isDir := strings.CutPrefix(to, "dir:"); isDir {
		_, _, err = IntoDataDir(t.Context(), dir, Options{From: source, Prefix: prefix})
	} else {
		var destination *clientv3.Client
		destination, err = endpoint.Dial(t.Context(), endpoint.Options{Servers: []string{to}})
		must(t, err)
		_, err = Run(t.Context(), Options{From: source, To: destination, Prefix: prefix})
	}
	must(t, err)
}

// TestKill kills a migration in the middle, again and again, and then lets one
// come to its end.
func TestKill(t *testing.T) {
	from := open(t, t.TempDir())
	fill(t, from, objects)
	to := open(t, t.TempDir())
	dir := filepath.Join(t.TempDir(), "data")
	for _, destination := range []string{to.Endpoints()[0], "dir:" + dir} {
		for round := range 4 {
			killed(t, from.Endpoints()[0], destination, time.Duration(round+1)*120*time.Millisecond)
		}
	}
	if _, err := os.Stat(etcd.MemberDir(dir)); err == nil {
		t.Log("the migration into a directory was faster than the kill")
	}
	_, err := Run(t.Context(), Options{From: from, To: to, Prefix: prefix, Overwrite: finished(t, to)})
	must(t, err)
	equal(t, from, to, objects)
	_, _, err = IntoDataDir(t.Context(), dir, Options{From: from, Prefix: prefix, Overwrite: true})
	must(t, err)
	equal(t, from, open(t, dir), objects)
}

// finished is whether a migration came to its end before it was killed.
func finished(t *testing.T, to *clientv3.Client) bool {
	t.Helper()
	unfinished, err := Unfinished(t.Context(), to, prefix)
	must(t, err)
	return !unfinished
}

func killed(t *testing.T, from, to string, after time.Duration) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrateProcess$")
	child.Env = append(os.Environ(), fromVariable+"="+from, toVariable+"="+to)
	stdout, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "begins" {
	}
	time.Sleep(after)
	_ = child.Process.Kill()
	_ = child.Wait() // it was killed
}
