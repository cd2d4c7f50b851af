// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
)

// Main is the child: it renders what it reads from in and reports to out. It
// bounds the whole process that calls it, for good.
func Main(in io.Reader, out io.Writer) error {
	log.SetOutput(io.Discard)
	var bounds limits
	if err := readMessage(in, &bounds); err != nil {
		return fmt.Errorf("reading the limits: %w", err)
	}
	if err := apply(bounds); err != nil {
		return fmt.Errorf("bounding this process: %w", err)
	}
	return serve(in, out)
}

// apply bounds what this process may take. The collector is to work harder
// before the kernel says no.
func apply(bounds limits) error {
	runtime.GOMAXPROCS(2)
	debug.SetMemoryLimit(int64(bounds.MemoryBytes / 4 * 3))
	debug.SetMaxStack(int(bounds.MemoryBytes / 4))
	// Who started it may be gone by then. Exit runs nothing else.
	time.AfterFunc(time.Duration(bounds.Seconds)*time.Second, func() { os.Exit(3) })
	return bound(bounds)
}

// serve renders one chart.
func serve(in io.Reader, out io.Writer) error {
	var o order
	if err := readMessage(in, &o); err != nil {
		return fmt.Errorf("reading what to render: %w", err)
	}
	archive, err := readFrame(in)
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	unpacked, err := unpack(o.Values)
	if err != nil {
		return err
	}
	values, _ := unpacked.(map[string]any)
	loaded, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		return writeMessage(out, report{Error: &Error{Fault: FaultChart, Text: err.Error()}})
	}
	var target *asking
	if o.Lookup {
		target = &asking{in: in, out: out}
	}
	result, failure := chartInto(loaded, values, o, target)
	if failure == nil {
		return writeMessage(out, report{Result: result})
	}
	if target != nil {
		failure = target.explain(failure)
	}
	return writeMessage(out, report{Error: failure})
}
