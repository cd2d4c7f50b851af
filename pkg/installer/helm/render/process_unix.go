// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package render

import (
	"os/exec"
	"syscall"
)

// inGroupOfItsOwn has a command started in a process group, which is killed as a
// whole when its context ends.
func inGroupOfItsOwn(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error {
		killGroup(command)
		return nil
	}
}

// killGroup kills a command that was started, and all that it started. It has
// not been waited for, so the number is still its own.
func killGroup(command *exec.Cmd) {
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
}
