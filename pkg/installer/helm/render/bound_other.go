// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package render

import "os"

func thisProgram() (string, error) { return os.Executable() }

// bound does nothing: only Linux bounds memory in a way that Go can live with.
// The deadline holds everywhere.
func bound(limits) error { return nil }
