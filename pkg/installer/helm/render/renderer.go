// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// defaultMemoryBytes is several times what the largest charts in use take.
	defaultMemoryBytes = 512 << 20
	defaultCPU         = 60 * time.Second
	defaultTimeout     = 3 * time.Minute
	// killGrace is how long the pipes of a child that was killed are waited for.
	killGrace = 5 * time.Second
	// maxComplaint is what is kept of its standard error, to know why it died.
	maxComplaint = 4 << 10
)

// Options bound each rendering. The zero value is what is meant for use.
type Options struct {
	// Program has the command; empty means the one that runs.
	Program string
	// MemoryBytes bounds its memory; 0 means 512 MiB.
	MemoryBytes int64
	// CPU bounds its time on a processor; 0 means a minute.
	CPU time.Duration
	// Timeout bounds its time; 0 means three minutes.
	Timeout time.Duration
}

// Renderer renders charts, each in a process of its own.
type Renderer struct {
	options Options
}

// New makes a renderer.
func New(options Options) (*Renderer, error) {
	if options.Program == "" {
		var err error
		if options.Program, err = thisProgram(); err != nil {
			return nil, fmt.Errorf("finding the program that renders charts: %w", err)
		}
	}
	if options.MemoryBytes <= 0 {
		options.MemoryBytes = defaultMemoryBytes
	}
	if options.CPU <= 0 {
		options.CPU = defaultCPU
	}
	if options.Timeout <= 0 {
		options.Timeout = defaultTimeout
	}
	return &Renderer{options: options}, nil
}

// Render renders a chart. It fails with an Error where that is the fault of the
// chart or its values, and with the context's where that ends. Whatever it
// returns, the child is gone.
func (r *Renderer) Render(ctx context.Context, request Request) (*Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.options.Timeout, &Error{FaultTime, fmt.Sprintf("its templates were not done after %s", r.options.Timeout)})
	defer cancel()
	child := exec.CommandContext(ctx, r.options.Program, Command)
	// Not nil, which would hand on the environment of this process.
	child.Env = []string{}
	child.Dir = "/"
	child.WaitDelay = killGrace
	inGroupOfItsOwn(child)
	var said complaint
	child.Stderr = &said
	in, err := child.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting to render: %w", err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting to render: %w", err)
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("starting to render: %w", err)
	}
	result, err := r.talk(ctx, in, out, request)
	in.Close()
	// It has said all that it has to say.
	killGroup(child)
	died := child.Wait()
	if err == nil {
		return result, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if failure, ok := errors.AsType[*Error](err); ok {
		return nil, failure
	}
	return nil, r.whyDead(child, said.String(), errors.Join(err, died))
}

// talk hands over a request and answers queries until there is a result.
func (r *Renderer) talk(ctx context.Context, in io.Writer, out io.Reader, request Request) (*Result, error) {
	for _, message := range []any{
		limits{
			MemoryBytes: uint64(r.options.MemoryBytes),
			CPUSeconds:  uint64(max(1, r.options.CPU/time.Second)),
			Seconds:     uint64(max(1, (r.options.Timeout+killGrace)/time.Second)),
		},
		order{Values: pack(request.Values), Release: request.Release, Capabilities: request.Capabilities, Lookup: request.Lookup != nil},
	} {
		if err := writeMessage(in, message); err != nil {
			return nil, err
		}
	}
	if err := writeFrame(in, request.Archive); err != nil {
		return nil, err
	}
	for {
		var said report
		if err := readMessage(out, &said); err != nil {
			return nil, err
		}
		switch {
		case said.Error != nil:
			return nil, said.Error
		case said.Result != nil:
			return said.Result, nil
		case said.Query == nil || request.Lookup == nil:
			return nil, errors.New("the process that renders says what nobody understands")
		}
		if err := writeMessage(in, ask(ctx, request.Lookup, *said.Query)); err != nil {
			return nil, err
		}
	}
}

func ask(ctx context.Context, lookup Lookup, query Query) answer {
	found, err := lookup(ctx, query)
	if err != nil {
		return answer{Failed: true}
	}
	if len(found) == 0 {
		return answer{}
	}
	encoded, err := json.Marshal(found)
	if err != nil {
		return answer{Failed: true}
	}
	return answer{Found: encoded}
}

// whyDead says why a child ended without a result.
func (r *Renderer) whyDead(child *exec.Cmd, said string, err error) error {
	state := child.ProcessState
	switch {
	case ranOutOfMemory(said):
		return &Error{FaultResources, fmt.Sprintf("its templates take more than %d MiB of memory", r.options.MemoryBytes>>20)}
	case state == nil:
		return fmt.Errorf("rendering: %w", err)
	case state.UserTime()+state.SystemTime() >= r.options.CPU*killedAt/100:
		return &Error{FaultResources, fmt.Sprintf("its templates take more than %s of a processor", r.options.CPU)}
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Errorf("the process that renders was ended by signal %d, perhaps for want of memory on this machine", status.Signal())
	}
	return fmt.Errorf("the process that renders ended without a result: %s", state)
}

// killedAt is the share of its time on a processor, in percent, at which a child
// that died counts as one whose time was up. The kernel ends it by counting ticks,
// of which each counts whole; what is reported afterwards is measured, and less
// where others took the processor in between, as on a machine that is shared.
const killedAt = 50

// ranOutOfMemory tells from the last words of a Go program whether it had no more
// memory to die in. The collector of Go 1.26 does not look at what it is given for
// its queues (spanQueue in mgcmark_greenteagc.go), and falls over a nil: that is a
// SIGSEGV without the "panic:" that a fault of the program itself begins with.
func ranOutOfMemory(said string) bool {
	return strings.HasPrefix(said, "SIGSEGV: ") || strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") ||
		strings.Contains(said, "stack exceeds") || strings.Contains(said, "failed to create new OS thread")
}

// complaint keeps the beginning of what is written to it, which holds what the
// runtime dies of.
type complaint struct {
	kept strings.Builder
}

func (c *complaint) Write(p []byte) (int, error) {
	c.kept.Write(p[:min(len(p), maxComplaint-c.kept.Len())])
	return len(p), nil
}

func (c *complaint) String() string { return c.kept.String() }
