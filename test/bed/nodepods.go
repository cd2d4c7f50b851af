// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// TagImage gives an image that the node has another name.
func (n *Node) TagImage(ctx context.Context, image, name string) error {
	if err := n.ctr(ctx, "images", "tag", "--force", image, name); err != nil {
		return fmt.Errorf("naming the image %s %s on the node %s: %w", image, name, n.Name, err)
	}
	return nil
}

// Process returns the process id, on this machine, of the first process of a
// container of a pod on the node.
func (n *Node) Process(pod *corev1.Pod, container string) (int, error) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name != container {
			continue
		}
		_, id, found := strings.Cut(status.ContainerID, "://")
		if !found {
			return 0, fmt.Errorf("the container %s of the pod %s/%s has not been started", container, pod.Namespace, pod.Name)
		}
		pid, err := n.firstProcess(id)
		if err != nil {
			return 0, fmt.Errorf("finding the process of the container %s of the pod %s/%s: %w", container, pod.Namespace, pod.Name, err)
		}
		return pid, nil
	}
	return 0, fmt.Errorf("the pod %s/%s has no container %s", pod.Namespace, pod.Name, container)
}

// KillProcess ends the first process of a container with SIGKILL, as a crash would:
// nobody but the kernel knows of it before.
func (n *Node) KillProcess(pod *corev1.Pod, container string) error {
	pid, err := n.Process(pod, container)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// firstProcess looks for the control group of a container, whose directory has the
// container's name, and for the process in it that is the first of its namespace.
func (n *Node) firstProcess(container string) (int, error) {
	dirs, err := hierarchies()
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		var group string
		err := filepath.WalkDir(filepath.Join(dir, cgroupOf(n.bed.Name)), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // Groups come and go.
			}
			if err == nil && entry.IsDir() && entry.Name() == container {
				group = path
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		if group == "" {
			continue
		}
		list, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		if err != nil {
			return 0, err
		}
		for _, field := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(field); err == nil && firstOfNamespace(pid) {
				return pid, nil
			}
		}
	}
	return 0, fmt.Errorf("no control group of the container %s has it", container)
}

// firstOfNamespace tells whether a process has the number 1 where it lives.
func firstOfNamespace(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false // It has ended.
	}
	for line := range strings.Lines(string(status)) {
		if numbers, found := strings.CutPrefix(line, "NSpid:"); found {
			fields := strings.Fields(numbers)
			return fields[len(fields)-1] == "1"
		}
	}
	return false
}
