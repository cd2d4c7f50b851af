// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ksit.io/ksit/hack/image/oci"
)

// user runs KSIT in the image. That it is a number lets a kubelet see that it is
// not root.
const user = 65532

// builder builds the program, and images of it.
type builder struct {
	source, pkg     string
	version, commit string
	created         time.Time
	scratch         string
}

// program is a built program.
type program struct {
	os, arch string
	path     string
	info     *buildinfo.BuildInfo
}

func (b *builder) build(ctx context.Context, goos, arch string) (*program, error) {
	const versionPkg = "ksit.io/ksit/pkg/version"
	path := filepath.Join(b.scratch, "ksit-"+goos+"-"+arch)
	flags := strings.Join([]string{
		"-s", "-w", "-buildid=",
		"-X", versionPkg + ".gitVersion=" + b.version,
		"-X", versionPkg + ".gitCommit=" + b.commit,
		"-X", versionPkg + ".buildDate=" + b.created.UTC().Format(time.RFC3339),
	}, " ")
	// What git says is given by the caller and stamped: a program must not differ by
	// where it was built.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, b.pkg)
	cmd.Dir = b.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly", "GOOS="+goos, "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("building %s for %s/%s: %w\n%s", b.pkg, goos, arch, err, stderr.String())
	}
	if err := static(path); err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading what was linked into %s: %w", path, err)
	}
	return &program{os: goos, arch: arch, path: path, info: info}, nil
}

// static makes sure that the program needs no loader: in the image there is none.
func static(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	defer func() { _ = file.Close() }()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically", path)
		}
	}
	return nil
}

// image has what seldom changes in its lowest layer.
func (b *builder) image(ctx context.Context, p *program) (oci.Image, error) {
	content, err := os.ReadFile(p.path)
	if err != nil {
		return oci.Image{}, fmt.Errorf("reading the program: %w", err)
	}
	licenses, err := licenses(ctx, b.source, b.scratch, p.info)
	if err != nil {
		return oci.Image{}, err
	}
	base := []oci.File{
		{Path: "etc/passwd", Mode: 0o644, Content: fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nksit:x:%d:%[1]d:ksit:/:/sbin/nologin\n", user)},
		{Path: "etc/group", Mode: 0o644, Content: fmt.Appendf(nil, "root:x:0:\nksit:x:%d:\n", user)},
		{Path: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Content: authorities()},
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		// So that a volume that takes its owner from the image can be written to.
		{Path: "var/lib/ksit", Mode: fs.ModeDir | 0o700, UID: user},
	}
	return oci.Image{
		OS: p.os, Architecture: p.arch, Created: b.created,
		Layers: [][]oci.File{
			base,
			licenses,
			{{Path: "ksit", Mode: 0o755, Content: content}},
		},
		Config: oci.Config{
			User:         fmt.Sprintf("%d:%[1]d", user),
			ExposedPorts: map[string]struct{}{"8443/tcp": {}, "8444/tcp": {}},
			Entrypoint:   []string{"/ksit"},
			Cmd:          []string{"server"},
			WorkingDir:   "/",
			Labels:       b.labels(),
		},
	}, nil
}

func (b *builder) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	labels := map[string]string{
		prefix + "title":       "ksit",
		prefix + "description": "Keeps integrations installed on Kubernetes clusters, by an aggregated API.",
		prefix + "licenses":    "Apache-2.0",
		prefix + "vendor":      "The KSIT Authors",
		prefix + "version":     b.version,
		prefix + "created":     b.created.UTC().Format(time.RFC3339),
	}
	if b.commit != "" {
		labels[prefix+"revision"] = b.commit
	}
	return labels
}
