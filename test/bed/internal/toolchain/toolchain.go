// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package toolchain builds the programs that a bed consists of from published
// Go modules at fixed versions, once, into a directory whose name is derived
// from everything that the result depends on.
package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Tools are the paths of the built programs.
type Tools struct {
	// BinDir holds a link to each program under its usual name, to be put
	// in front of PATH.
	BinDir string

	Etcd                  string
	KubeAPIServer         string
	KubeControllerManager string
	KubeScheduler         string
	Kubectl               string
	Kwok                  string
	// KwokStages is kwok's configuration: what happens to nodes and pods, and how fast.
	KwokStages string
	Helm       string
	// PrometheusOperator is empty unless it was asked for.
	PrometheusOperator string
	// Kubelet, KubeProxy, Node (which keeps a node apart from the machine) and Pods
	// (which runs in containers) are empty unless a real node was asked for.
	Kubelet   string
	KubeProxy string
	Node      string
	Pods      string
}

// Wanted says what is wanted beyond what every bed needs.
type Wanted struct {
	PrometheusOperator bool
	RealNode           bool
}

func (w Wanted) wants(module string) bool {
	switch module {
	case prometheusOperator:
		return w.PrometheusOperator
	case realNode, pods:
		return w.RealNode
	default:
		return true
	}
}

// Logf reports progress to whoever waits for a build.
type Logf func(format string, args ...any)

// Build returns the tools below dir, building first what is not there. Two
// processes may call it at the same time; one builds and the other waits.
func Build(ctx context.Context, dir string, wanted Wanted, log Logf) (*Tools, error) {
	source, err := sourceDir()
	if err != nil {
		return nil, err
	}
	goVersion, err := goEnv(ctx)
	if err != nil {
		return nil, err
	}
	built := map[string]string{}
	var keys []string
	for _, m := range modules {
		if !wanted.wants(m.name) {
			continue
		}
		m.source = filepath.Join(source, m.name)
		key, err := m.key(goVersion)
		if err != nil {
			return nil, fmt.Errorf("reading the sources of %s: %w", m.name, err)
		}
		target := filepath.Join(dir, m.name+"-"+key)
		if err := m.ensure(ctx, target, log); err != nil {
			return nil, err
		}
		keys = append(keys, key)
		for _, name := range m.programs() {
			built[name] = filepath.Join(target, name)
		}
		if m.stages {
			built[stagesFile] = filepath.Join(target, stagesFile)
		}
	}
	all := sha256.Sum256([]byte(strings.Join(keys, "")))
	bin, err := linkAll(filepath.Join(dir, "bin-"+hex.EncodeToString(all[:6])), built)
	if err != nil {
		return nil, fmt.Errorf("linking the tools: %w", err)
	}
	return &Tools{
		BinDir:                bin,
		Etcd:                  built["etcd"],
		KubeAPIServer:         built["kube-apiserver"],
		KubeControllerManager: built["kube-controller-manager"],
		KubeScheduler:         built["kube-scheduler"],
		Kubectl:               built["kubectl"],
		Kwok:                  built["kwok"],
		KwokStages:            built[stagesFile],
		Helm:                  built["helm"],
		PrometheusOperator:    built[prometheusOperator],
		Kubelet:               built["kubelet"],
		KubeProxy:             built["kube-proxy"],
		Node:                  built[realNode],
		Pods:                  built[pods],
	}, nil
}

// ensure builds the module into target unless that is complete already. A
// build happens beside the target and is renamed, so that what is there is whole.
func (m module) ensure(ctx context.Context, target string, log Logf) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("making the directory of tools: %w", err)
	}
	unlock, err := lock(ctx, target+".lock", func() { log("waiting for another process that builds %s …", m.title) })
	if err != nil {
		return fmt.Errorf("locking the build of %s: %w", m.title, err)
	}
	defer unlock()
	if _, err := os.Stat(target); err == nil {
		return nil // Built while this process waited.
	}
	scratch, err := os.MkdirTemp(filepath.Dir(target), m.name+"-building-")
	if err != nil {
		return fmt.Errorf("making a directory to build %s in: %w", m.title, err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()

	begin := time.Now()
	log("building %s (%s, once) …", m.title, m.duration)
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				log("  still building %s: %s", m.title, time.Since(begin).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	if err := m.build(ctx, scratch); err != nil {
		return fmt.Errorf("building %s: %w", m.title, err)
	}
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}
	if err := os.Rename(scratch, target); err != nil {
		return fmt.Errorf("putting %s in place: %w", m.title, err)
	}
	log("built %s in %s", m.title, time.Since(begin).Round(time.Second))
	return nil
}

// linkAll makes a directory of links to all programs.
func linkAll(dir string, built map[string]string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, path := range built {
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
			return "", err
		}
	}
	return dir, nil
}

// lock takes the file lock at path, calling wait once if it is held by another.
func lock(ctx context.Context, path string, wait func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK {
			_ = f.Close()
			return nil, err
		}
		if first {
			wait()
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
