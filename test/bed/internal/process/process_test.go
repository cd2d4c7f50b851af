// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/test/bed/internal/process"
)

// parentDir, when set in the environment, makes the test binary start a child
// and wait to be killed.
const parentDir = "BED_TEST_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		parent(dir)
		return
	}
	os.Exit(m.Run())
}

func parent(dir string) {
	spawner := process.NewSpawner(process.NewLedger(filepath.Join(dir, "ledger")))
	p := process.New(spawner, sleeper(dir))
	if err := p.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

func sleeper(dir string) process.Spec {
	return process.Spec{Name: "sleeper", Path: "/bin/sleep", Args: []string{"300"}, LogFile: filepath.Join(dir, "log")}
}

func newProcess(t *testing.T, change func(*process.Spec)) (*process.Process, *process.Ledger) {
	t.Helper()
	dir := t.TempDir()
	ledger := process.NewLedger(filepath.Join(dir, "ledger"))
	spawner := process.NewSpawner(ledger)
	spec := sleeper(dir)
	if change != nil {
		change(&spec)
	}
	p := process.New(spawner, spec)
	t.Cleanup(func() { p.Kill(); spawner.Close() })
	return p, ledger
}

func alive(t *testing.T, ledger *process.Ledger) int {
	t.Helper()
	entries, err := ledger.Alive()
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestStartStopKill(t *testing.T) {
	p, ledger := newProcess(t, nil)
	if p.Running() || p.Pid() != 0 {
		t.Error("it runs before it was started")
	}
	for _, end := range []func() error{
		func() error { return p.Stop(t.Context()) },
		func() error { p.Kill(); return nil },
	} {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err == nil {
			t.Error("it could be started twice")
		}
		if n := alive(t, ledger); n != 1 || !p.Running() {
			t.Errorf("the ledger has %d living processes, want 1", n)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		if n := alive(t, ledger); n != 0 || p.Running() {
			t.Errorf("after its end the ledger has %d living processes", n)
		}
	}
}

func TestStopKillsWhatDoesNotObey(t *testing.T) {
	p, _ := newProcess(t, func(spec *process.Spec) {
		spec.Path, spec.Args = "/bin/sh", []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"}
		spec.StopTimeout = 200 * time.Millisecond
	})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the trap is set", func() bool { return strings.Contains(p.LogTail(5), "deaf") })
	if err := p.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the error is %v", err)
	}
	if p.Running() {
		t.Error("it still runs")
	}
}

func TestKeepAlive(t *testing.T) {
	p, ledger := newProcess(t, func(spec *process.Spec) {
		spec.KeepAlive, spec.KeepAlivePause = true, 10*time.Millisecond
	})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	first := p.Pid()
	if _, err := ledger.KillAll(time.Second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() bool { return p.Pid() != first && p.Running() })
	p.Kill()
	time.Sleep(50 * time.Millisecond)
	if p.Running() {
		t.Error("it came back although it was killed on purpose")
	}
}

func TestChildrenOfAKilledParent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentDir+"="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Fatalf("the parent says %q", line)
	}
	ledger := process.NewLedger(filepath.Join(dir, "ledger"))
	if n := alive(t, ledger); n != 1 {
		t.Fatalf("the ledger has %d living processes, want 1", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // Killed.
	if runtime.GOOS == "linux" {
		eventually(t, "the child is gone", func() bool { return alive(t, ledger) == 0 })
	}
	if _, err := ledger.KillAll(time.Second); err != nil {
		t.Error(err)
	}
	if n := alive(t, ledger); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

func TestLedgerSparesStrangers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	// This process, but with a beginning that is not its own; and a line that
	// was cut short.
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\t1\tstranger\n%d\t2", os.Getpid(), os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	killed, err := process.NewLedger(path).KillAll(time.Second)
	if err != nil || len(killed) != 0 {
		t.Errorf("killed %v, %v", killed, err)
	}
}
