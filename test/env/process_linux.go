// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import "syscall"

// dieWithParent has the kernel kill the program when the test is killed, which
// runs no cleanup.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
