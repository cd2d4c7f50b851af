// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"os"
	"testing"

	"ksit.io/ksit/pkg/installer/helm/render"
)

// TestMain is also the process that renders charts: an Installer starts the
// program that it is part of.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == render.Command {
		if err := render.Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
