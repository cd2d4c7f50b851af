// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// cgroupOf is the control group of all pods of a bed's node.
func cgroupOf(bed string) string { return "/ksit-bed-" + bed }

// hierarchies are the directories below which groups are made: one in the second
// version of control groups, and in the first one for each set of controllers.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, fmt.Errorf("finding control groups: %w", err)
	}
	var dirs []string
	for _, entry := range entries {
		// The rest are links to others.
		if entry.IsDir() {
			dirs = append(dirs, filepath.Join(cgroupMount, entry.Name()))
		}
	}
	return dirs, nil
}

// makeCgroups makes the group in all hierarchies.
func makeCgroups(group string) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, group), 0o755); err != nil {
			return fmt.Errorf("making the control group %s: %w", group, err)
		}
	}
	if dirs[0] != cgroupMount {
		return nil
	}
	// In the second version each group says which controllers those below it have.
	controllers, err := os.ReadFile(filepath.Join(cgroupMount, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var wanted []string
	for _, controller := range strings.Fields(string(controllers)) {
		wanted = append(wanted, "+"+controller)
	}
	for _, dir := range []string{cgroupMount, filepath.Join(cgroupMount, group)} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(strings.Join(wanted, " ")), 0); err != nil {
			return fmt.Errorf("handing controllers down from %s: %w", dir, err)
		}
	}
	return nil
}

// removeCgroups removes a group, with all below it, from all hierarchies. Their
// processes must have been ended; the kernel may take a moment to notice.
func removeCgroups(group string, timeout time.Duration) error {
	dirs, err := hierarchies()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Where there are no groups there are none left.
	}
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		for deadline := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
			err := removeTree(filepath.Join(dir, group))
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("removing the control group %s: %w", group, err)
			}
		}
	}
	return nil
}

// removeTree removes directories from the bottom up. The files in them are no files.
func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
