// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk has the disk of a snapshot, and that of a data directory, be full in
// the middle: there is an error, and nothing that looks like either is left.
func TestFullDisk(t *testing.T) {
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(small, 0)) })
	_, client := filled(t, 2000)
	if _, err := SaveFile(t.Context(), client, filepath.Join(small, "ksit.db"), false); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("SaveFile() = %v, want %v", err, syscall.ENOSPC)
	}
	if entries, err := os.ReadDir(small); err != nil || len(entries) > 0 {
		t.Errorf("the full disk has %v (error %v)", entries, err)
	}
	file := filepath.Join(t.TempDir(), "ksit.db")
	_, err := SaveFile(t.Context(), client, file, false)
	must(t, err)
	if _, err := Restore(t.Context(), file, filepath.Join(small, "data"), 1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Restore() = %v, want %v", err, syscall.ENOSPC)
	}
	for _, name := range []string{"member", "member.restoring"} {
		if _, err := os.Stat(filepath.Join(small, "data", name)); err == nil {
			t.Errorf("%s was left", name)
		}
	}
}
