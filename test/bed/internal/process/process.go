// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process runs the programs of a bed so that none of them outlives it:
// they are stopped in order when the bed is closed, killed by the kernel when
// the bed's own process is killed (on Linux), and written down in a ledger from
// which a later process can find and kill whatever is left (everywhere).
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	// Name tells the process apart in errors and in the ledger.
	Name string
	// Path is the program; Args its arguments without the program's name.
	Path string
	Args []string
	// Env is the whole environment; nil inherits this process's.
	Env []string
	// Dir is the working directory.
	Dir string
	// LogFile receives standard output and standard error. A restart appends.
	LogFile string
	// StopTimeout is how long Stop waits between SIGTERM and SIGKILL; 10 s when zero.
	StopTimeout time.Duration
	// KeepAlive starts the process again, after a pause, whenever it ends
	// without Stop or Kill having been called.
	KeepAlive bool
	// KeepAlivePause is the pause of KeepAlive; 1 s when zero.
	KeepAlivePause time.Duration
	// Isolated makes the process the first of new namespaces of processes, mounts
	// and network. When it ends the kernel kills all others in them. Needs root, and
	// Linux.
	Isolated bool
}

// Process is a program that can be started, stopped and killed any number of
// times. Its methods may be called from several goroutines.
type Process struct {
	spec    Spec
	spawner *Spawner

	mu sync.Mutex
	// run is the current or last run; nil before the first start.
	run *run
	// wanted is false once Stop or Kill was called, so that KeepAlive leaves it.
	wanted bool
}

// run is one life of the process.
type run struct {
	cmd *exec.Cmd
	// done is closed when the process has ended and err is set.
	done chan struct{}
	err  error
}

func (r *run) alive() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// New prepares a process; Start starts it.
func New(spawner *Spawner, spec Spec) *Process {
	if spec.StopTimeout == 0 {
		spec.StopTimeout = 10 * time.Second
	}
	if spec.KeepAlivePause == 0 {
		spec.KeepAlivePause = time.Second
	}
	return &Process{spec: spec, spawner: spawner}
}

// Name is the name from the Spec.
func (p *Process) Name() string { return p.spec.Name }

// LogFile is the file that holds the process's output.
func (p *Process) LogFile() string { return p.spec.LogFile }

// Start starts the process. It is an error if it runs already.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run.alive() {
		return fmt.Errorf("%s is already running with process id %d", p.spec.Name, p.run.cmd.Process.Pid)
	}
	p.wanted = true
	return p.startLocked()
}

func (p *Process) startLocked() error {
	log, err := os.OpenFile(p.spec.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", p.spec.Name, err)
	}
	// The child has its own copy of the descriptor once it is started.
	defer func() { _ = log.Close() }()

	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Args[0] = filepath.Base(p.spec.Path)
	cmd.Env, cmd.Dir = p.spec.Env, p.spec.Dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := p.spawner.start(p.spec.Name, cmd, p.spec.Isolated); err != nil {
		return fmt.Errorf("starting %s: %w", p.spec.Name, err)
	}
	r := &run{cmd: cmd, done: make(chan struct{})}
	p.run = r
	go func() {
		r.err = cmd.Wait()
		close(r.done)
		if p.spec.KeepAlive {
			p.revive(r)
		}
	}()
	return nil
}

// revive starts the process again after the run ended, unless that was asked for.
func (p *Process) revive(ended *run) {
	for {
		time.Sleep(p.spec.KeepAlivePause)
		p.mu.Lock()
		if !p.wanted || p.run != ended {
			p.mu.Unlock()
			return
		}
		err := p.startLocked()
		p.mu.Unlock()
		if err == nil || errors.Is(err, ErrClosed) {
			return
		}
	}
}

// Running reports whether the process is alive at this moment.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run.alive()
}

// Pid is the process id of the current or last run, 0 before the first.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return 0
	}
	return p.run.cmd.Process.Pid
}

// Done is closed when the current run ends. Before the first start it is nil,
// and so blocks forever.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return nil
	}
	return p.run.done
}

// Stop asks the process to end with SIGTERM and kills it if it has not ended
// after the Spec's StopTimeout or when ctx is done, whichever comes first. The
// error says that it had to be killed. Stopping what does not run is no error.
func (p *Process) Stop(ctx context.Context) error {
	r := p.letGo()
	if !r.alive() {
		return nil
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // Fails only if it has just ended.
	timer := time.NewTimer(p.spec.StopTimeout)
	defer timer.Stop()
	select {
	case <-r.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = r.cmd.Process.Kill()
	<-r.done
	return fmt.Errorf("%s did not end on SIGTERM and was killed", p.spec.Name)
}

// Kill ends the process with SIGKILL and returns when it is gone. Killing what
// does not run is no error.
func (p *Process) Kill() {
	r := p.letGo()
	if !r.alive() {
		return
	}
	_ = r.cmd.Process.Kill()
	<-r.done
}

// Signal sends a signal, such as SIGSTOP, to a process that runs.
func (p *Process) Signal(signal os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.run.alive() {
		return fmt.Errorf("sending %s to %s: %w", signal, p.spec.Name, os.ErrProcessDone)
	}
	return p.run.cmd.Process.Signal(signal)
}

// letGo notes that the process shall not run and returns its last run.
func (p *Process) letGo() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = false
	return p.run
}

// LogTail returns the last lines of the log, for an error message.
func (p *Process) LogTail(lines int) string {
	const window = 16 << 10
	f, err := os.Open(p.spec.LogFile)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	start := max(0, info.Size()-window)
	buf := make([]byte, info.Size()-start)
	n, _ := f.ReadAt(buf, start) // What could be read is still worth showing.
	all := strings.Split(strings.TrimSpace(string(buf[:n])), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
