// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package env

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
