// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// tieToParent makes the kernel kill the process when the thread that forked it
// ends, and puts it into a group of its own so that Ctrl-C at a terminal
// reaches only the bed, which then stops everything in order.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// isolate has the process begin in namespaces of its own.
func isolate(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET
	return nil
}

// beginOf returns when the process began, in clock ticks since boot. A zombie
// counts as gone.
func beginOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the program's name in parentheses and may itself
	// hold blanks and parentheses; what follows the last one is regular.
	_, rest, ok := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), ") ")
	fields := strings.Fields(rest)
	const state, begin = 0, 19
	if !ok || len(fields) <= begin {
		return "", fmt.Errorf("the state of process %d is unreadable", pid)
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[begin], nil
}
