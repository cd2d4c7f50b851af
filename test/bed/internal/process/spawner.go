// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
)

// ErrClosed is returned for a start after the Spawner was closed.
var ErrClosed = errors.New("the bed is closed")

// Spawner starts processes that the kernel kills when this process dies,
// however it dies. Linux ties that promise to the thread that forks, not to the
// process, so that all forks are made by one goroutine that keeps its thread.
type Spawner struct {
	ledger   *Ledger
	requests chan func()
	once     sync.Once
	closed   chan struct{}
	ended    chan struct{}
}

// NewSpawner returns a Spawner that writes each process that it starts into
// ledger. Close must be called after the last process has ended: on Linux it
// kills those that still run.
func NewSpawner(ledger *Ledger) *Spawner {
	s := &Spawner{
		ledger:   ledger,
		requests: make(chan func()),
		closed:   make(chan struct{}),
		ended:    make(chan struct{}),
	}
	go s.loop()
	return s
}

func (s *Spawner) loop() {
	defer close(s.ended)
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	for {
		select {
		case request := <-s.requests:
			request()
		case <-s.closed:
			return
		}
	}
}

func (s *Spawner) start(name string, cmd *exec.Cmd, isolated bool) error {
	tieToParent(cmd)
	if isolated {
		if err := isolate(cmd); err != nil {
			return err
		}
	}
	result := make(chan error, 1)
	select {
	case s.requests <- func() { result <- cmd.Start() }:
	case <-s.closed:
		return ErrClosed
	}
	if err := <-result; err != nil {
		return err
	}
	if err := s.ledger.add(name, cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("noting the process: %w", err)
	}
	return nil
}

// Close ends the Spawner. It may be called more than once.
func (s *Spawner) Close() {
	s.once.Do(func() { close(s.closed) })
	<-s.ended
}
