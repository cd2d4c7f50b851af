// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image builds KSIT's container image without a container runtime: one
// static program, the certificate authorities of the world, and the licences of all
// that is linked in. It writes an archive that registries' tools, containerd and
// docker load read, and a bill of materials for each platform beside it.
//
// The same commit built by the same Go gives the same image, byte for byte.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ksit.io/ksit/hack/image/oci"
)

// options are the flags.
type options struct {
	source, pkg, out, name   string
	version, commit, created string
	platforms                string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.source, "source", ".", "The directory of the module.")
	flag.StringVar(&o.pkg, "package", "./cmd/ksit", "The package of the program, seen from the module.")
	flag.StringVar(&o.out, "out", "bin/ksit-image.tar", "The archive to write; bills of materials are written beside it.")
	flag.StringVar(&o.name, "name", "localhost/ksit", "The name of the image, without a tag: that is the version.")
	flag.StringVar(&o.version, "version", "", "The version: it is stamped into the program, and is the tag.")
	flag.StringVar(&o.commit, "commit", "", "The commit that is built.")
	flag.StringVar(&o.created, "created", "", "The time of the commit, as RFC 3339. It is the only time in the image.")
	flag.StringVar(&o.platforms, "platforms", "linux/amd64", "The platforms, separated by commas.")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.version == "" {
		return fmt.Errorf("--version is required")
	}
	created := time.Unix(0, 0).UTC()
	if o.created != "" {
		var err error
		if created, err = time.Parse(time.RFC3339, o.created); err != nil {
			return fmt.Errorf("reading --created: %w", err)
		}
	}
	scratch, err := os.MkdirTemp("", "ksit-image-")
	if err != nil {
		return fmt.Errorf("making a directory to build in: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	b := builder{source: o.source, pkg: o.pkg, version: o.version, commit: o.commit, created: created, scratch: scratch}
	reference := o.name + ":" + tag(o.version)
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	var images []oci.Image
	for _, platform := range strings.Split(o.platforms, ",") {
		goos, arch, ok := strings.Cut(platform, "/")
		if !ok || goos != "linux" {
			return fmt.Errorf("%q is no platform such as linux/amd64", platform)
		}
		fmt.Fprintf(os.Stderr, "building %s for %s …\n", reference, platform)
		program, err := b.build(ctx, goos, arch)
		if err != nil {
			return err
		}
		image, err := b.image(ctx, program)
		if err != nil {
			return fmt.Errorf("making the image for %s: %w", platform, err)
		}
		images = append(images, image)
		bill, err := billOfMaterials(program.info, reference, platform, created)
		if err != nil {
			return err
		}
		path := strings.TrimSuffix(o.out, ".tar") + "-" + goos + "-" + arch + ".spdx.json"
		if err := os.WriteFile(path, bill, 0o644); err != nil {
			return fmt.Errorf("writing the bill of materials: %w", err)
		}
		fmt.Println(path)
	}
	digest, err := write(o.out, reference, images)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s@%s\n", o.out, reference, digest)
	return nil
}

// write writes the archive beside its place and renames it, so that what is there
// is whole.
func write(path, reference string, images []oci.Image) (digest string, err error) {
	file, err := os.Create(path + ".new")
	if err != nil {
		return "", fmt.Errorf("writing the image: %w", err)
	}
	digest, err = oci.WriteArchive(file, reference, images)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return "", fmt.Errorf("writing the image to %s: %w", path, err)
	}
	return digest, os.Rename(path+".new", path)
}

// tag makes a version a tag, which knows no plus sign.
func tag(version string) string { return strings.ReplaceAll(version, "+", "-") }
