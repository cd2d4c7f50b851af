// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"path/filepath"

	"ksit.io/ksit/test/bed/internal/process"
)

// Process is a program that runs on the bed and cannot outlive it. It can be
// stopped, killed and started again any number of times.
type Process = process.Process

// ProcessSpec says what to run.
type ProcessSpec = process.Spec

// NewProcess prepares a process of the bed; its Start starts it. Close stops
// it, before the clusters. An empty LogFile becomes NAME.log in the bed's
// directory, a nil environment this process's without proxies and KUBECONFIG.
func (b *Bed) NewProcess(spec ProcessSpec) *Process {
	if spec.LogFile == "" {
		spec.LogFile = filepath.Join(b.Dir, spec.Name+".log")
	}
	if spec.Env == nil {
		spec.Env = cleanEnvironment()
	}
	p := process.New(b.spawner, spec)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.processes = append(b.processes, p)
	return p
}
