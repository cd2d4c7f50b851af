// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// module is one of the Go modules under tools. Each pins what it builds in its
// own go.mod. The modules that they share with KSIT they have in its versions, so
// that these are compiled once for all.
type module struct {
	name string
	// title and duration are for the person who waits.
	title, duration string
	// pkg is the package to build, seen from the module.
	pkg string
	// program is what the binary is called, links the other names of a
	// program that does what it is called.
	program string
	links   []string
	// ldflags are added to those that all have.
	ldflags string
	// stages says that kwok's configuration is to be put together as well.
	stages bool

	source string
}

// KubernetesVersion is what the kube components say that they are. It must be
// the version that tools/kube and tools/node require.
const KubernetesVersion = "v1.37.2"

const (
	prometheusOperator = "prometheus-operator"
	realNode           = "node"
	pods               = "pods"
)

const (
	versionPkg = "k8s.io/component-base/version"
	clientPkg  = "k8s.io/client-go/pkg/version"
	stagesFile = "kwok-stages.yaml"

	kubernetesLDFlags = "-X " + versionPkg + ".gitVersion=" + KubernetesVersion +
		" -X " + versionPkg + ".gitMajor=1" +
		" -X " + versionPkg + ".gitMinor=37" +
		" -X " + clientPkg + ".gitVersion=" + KubernetesVersion
)

var modules = []module{
	{
		name: "etcd", title: "etcd", duration: "seconds",
		pkg: ".", program: "etcd",
	},
	{
		name: "kube", title: "the kube components", duration: "about 6 minutes",
		pkg: ".", program: "kube",
		links:   []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"},
		ldflags: kubernetesLDFlags,
	},
	{
		name: realNode, title: "kubelet and kube-proxy", duration: "about 2 minutes after the kube components",
		pkg: ".", program: "node",
		links:   []string{"kubelet", "kube-proxy"},
		ldflags: kubernetesLDFlags,
	},
	{
		name: pods, title: "what runs in pods", duration: "seconds",
		pkg: ".", program: "pods",
	},
	{
		name: "kwok", title: "kwok", duration: "seconds",
		pkg: "sigs.k8s.io/kwok/cmd/kwok", program: "kwok", stages: true,
	},
	{
		name: "helm", title: "helm", duration: "seconds",
		pkg: "helm.sh/helm/v3/cmd/helm", program: "helm",
	},
	{
		name: prometheusOperator, title: "the Prometheus operator", duration: "about a minute",
		pkg: "github.com/prometheus-operator/prometheus-operator/cmd/operator", program: prometheusOperator,
	},
}

func (m module) programs() []string {
	return append([]string{m.program}, m.links...)
}

// key is a digest of all that decides what is built.
func (m module) key(goVersion string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n%s\n%v\n", goVersion, m.pkg, m.ldflags, m.program, m.links)
	if m.stages {
		fmt.Fprintf(sum, "%v\n", stages)
	}
	err := filepath.WalkDir(m.source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", entry.Name(), len(content), content)
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil))[:12], err
}

// build compiles the module's program into dir.
func (m module) build(ctx context.Context, dir string) error {
	flags := strings.TrimSpace("-s -w " + m.ldflags)
	if _, err := m.run(ctx, "build", "-buildvcs=false", "-ldflags", flags, "-o", filepath.Join(dir, m.program), m.pkg); err != nil {
		return err
	}
	for _, link := range m.links {
		if err := os.Symlink(m.program, filepath.Join(dir, link)); err != nil {
			return err
		}
	}
	if !m.stages {
		return nil
	}
	out, err := m.run(ctx, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	content, err := joinStages(filepath.Join(strings.TrimSpace(string(out)), "kustomize", "stage"))
	if err != nil {
		return fmt.Errorf("putting kwok's stages together: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, stagesFile), content, 0o644)
}

// run runs the go command in the module's directory.
func (m module) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.source
	// Without cgo, so that neither a C compiler nor the caller's settings
	// make a difference, and otherwise as the Makefile has KSIT compiled: what it
	// shares with the programs is then compiled once.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly -trimpath")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("go %s in %s: %w\n%s", args[0], m.source, err, lastLines(stderr.String(), 30))
	}
	return stdout.Bytes(), nil
}

// stages are the files of kwok's module that together make nodes ready at once
// and keep them so by their leases, make pods run at once, and complete those
// of Jobs.
var stages = []string{
	"node/fast/node-initialize.yaml",
	"node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
	"pod/fast/pod-ready.yaml",
	"pod/fast/pod-complete.yaml",
	"pod/fast/pod-delete.yaml",
}

func joinStages(dir string) ([]byte, error) {
	var all []byte
	for _, name := range stages {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		all = append(append(all, content...), "\n---\n"...)
	}
	return all, nil
}

// goEnv describes the Go toolchain that would build.
func goEnv(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("asking for the Go toolchain, which builds the bed's tools: %w", err)
	}
	return string(out), nil
}

// sourceDir finds the directory tools of this module. Its modules cannot be
// embedded into the program, because Go embeds nothing from other modules.
func sourceDir() (string, error) {
	var candidates []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		candidates = append(candidates, filepath.Join(filepath.Dir(file), "..", "..", "tools"))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			candidates = append(candidates, filepath.Join(dir, "tools"), filepath.Join(dir, "test", "bed", "tools"))
		}
	}
	isSource := func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "kube", "go.mod"))
		return err == nil
	}
	if i := slices.IndexFunc(candidates, isSource); i >= 0 {
		return candidates[i], nil
	}
	return "", errors.New("the sources of the bed's tools, test/bed/tools, were not found: run from within the repository")
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
