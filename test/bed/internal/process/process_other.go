// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package process

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// tieToParent puts the process into a group of its own so that Ctrl-C at a
// terminal reaches only the bed. Outside Linux no kernel kills the children of
// a killed parent; there the ledger is what finds them.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// isolate is Linux's.
func isolate(*exec.Cmd) error { return errors.New("only Linux has namespaces") }

// beginOf returns when the process began, to the second.
func beginOf(pid int) (string, error) {
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 2 {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	if strings.HasPrefix(fields[0], "Z") {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return strings.Join(fields[1:], " "), nil
}
