// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// nodePrograms are what a real node needs of the machine.
var nodePrograms = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "iptables", "conntrack"}

// NodeUnavailable says why no real node can run on this machine; it is nil if one
// can, as far as can be told without trying.
func NodeUnavailable() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a node needs Linux, and this is %s", runtime.GOOS)
	}
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("a node needs root, and this is user %d", uid)
	}
	var missing []string
	for _, program := range nodePrograms {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not found in PATH: %s (on Debian: apt-get install containerd runc iptables conntrack containernetworking-plugins)", strings.Join(missing, ", "))
	}
	if _, err := cniPlugins(); err != nil {
		return err
	}
	if entries, err := os.ReadDir(cgroupMount); err != nil || len(entries) == 0 {
		return fmt.Errorf("there are no control groups in %s", cgroupMount)
	}
	return nil
}

// cniPlugins finds the directory of the plugins that link pods.
func cniPlugins() (string, error) {
	candidates := []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "ptp")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("the CNI plugin ptp is in none of " + strings.Join(candidates, ", ") + " (on Debian: apt-get install containernetworking-plugins)")
}
