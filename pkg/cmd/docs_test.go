// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"testing"

	"ksit.io/ksit/test/console"
)

// TestCommandsOfDocuments checks that every command of ksit that a document has is
// one, with flags that it has.
func TestCommandsOfDocuments(t *testing.T) {
	lines, err := console.Read("../..", "ksit")
	if err != nil || len(lines) == 0 {
		t.Fatalf("no commands in the documents (%v)", err)
	}
	for _, line := range lines {
		if err := console.Check(NewCommand(), line.Words[1:]); err != nil {
			t.Errorf("%s: %s: %v", line.Document, line.Text, err)
		}
	}
}
