// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func sample(arch string) Image {
	return Image{
		OS: "linux", Architecture: arch, Created: created,
		Layers: [][]File{
			{{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777}, {Path: "etc/ssl/ca.crt", Mode: 0o644, Content: []byte("ca")}},
			{{Path: "program", Mode: 0o755, Content: []byte(arch), UID: 7}},
		},
		Config: Config{User: "65532:65532", Entrypoint: []string{"/program"}, Labels: map[string]string{"a": "b"}},
	}
}

func archiveOf(t *testing.T, name string, images ...Image) (content map[string][]byte, raw []byte, digest string) {
	t.Helper()
	var out bytes.Buffer
	digest, err := WriteArchive(&out, name, images)
	if err != nil {
		t.Fatal(err)
	}
	return untar(t, bytes.NewReader(out.Bytes()), nil), out.Bytes(), digest
}

func untar(t *testing.T, r io.Reader, see func(*tar.Header)) map[string][]byte {
	t.Helper()
	content := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return content
		}
		if err != nil {
			t.Fatal(err)
		}
		if see != nil {
			see(header)
		}
		if content[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return value
}

func TestSameFilesSameBytes(t *testing.T) {
	_, first, digest := archiveOf(t, "example.com/a/b:1", sample("amd64"))
	image := sample("amd64")
	slices.Reverse(image.Layers[0])
	_, second, again := archiveOf(t, "example.com/a/b:1", image)
	if !bytes.Equal(first, second) || digest != again {
		t.Error("the same files in another order give another archive")
	}
	image.Layers[1][0].Content = []byte("other")
	if _, _, other := archiveOf(t, "example.com/a/b:1", image); other == digest {
		t.Error("another program has the same digest")
	}
}

// TestEveryReferenceLeadsToABlob follows what a reader of either format follows.
func TestEveryReferenceLeadsToABlob(t *testing.T) {
	for _, architectures := range [][]string{{"amd64"}, {"amd64", "arm64"}} {
		var images []Image
		for _, arch := range architectures {
			images = append(images, sample(arch))
		}
		files, _, digest := archiveOf(t, "example.com/a/b:1", images...)
		read := func(d descriptor) []byte {
			t.Helper()
			data, there := files[blobPath(d.Digest)]
			if !there || len(data) != d.Size || newBlob(data).digest != d.Digest {
				t.Fatalf("%s is not what %+v says", data, d)
			}
			return data
		}
		top := decode[index](t, files["index.json"])
		if len(top.Manifests) != 1 || top.Manifests[0].Digest != digest ||
			top.Manifests[0].Annotations["io.containerd.image.name"] != "example.com/a/b:1" ||
			top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1" {
			t.Fatalf("the index is %+v", top)
		}
		manifests := top.Manifests
		if len(architectures) > 1 {
			manifests = decode[index](t, read(top.Manifests[0])).Manifests
		}
		for i, d := range manifests {
			if d.Platform == nil || d.Platform.Architecture != architectures[i] || d.Platform.OS != "linux" {
				t.Errorf("manifest %d is for %+v", i, d.Platform)
			}
			m := decode[manifest](t, read(d))
			config := decode[imageConfig](t, read(m.Config))
			if config.Architecture != architectures[i] || config.Config.User != "65532:65532" || len(config.RootFS.DiffIDs) != len(m.Layers) {
				t.Errorf("the configuration is %+v", config)
			}
			for n, l := range m.Layers {
				z, err := gzip.NewReader(bytes.NewReader(read(l)))
				if err != nil {
					t.Fatal(err)
				}
				plain, err := io.ReadAll(z)
				if err != nil || newBlob(plain).digest != config.RootFS.DiffIDs[n] {
					t.Errorf("layer %d is not what the configuration says (%v)", n, err)
				}
			}
		}
		docker := decode[[]dockerManifest](t, files["manifest.json"])
		if len(docker) != 1 || !slices.Equal(docker[0].RepoTags, []string{"example.com/a/b:1"}) || files[docker[0].Config] == nil {
			t.Fatalf("docker load finds %+v", docker)
		}
		for _, l := range docker[0].Layers {
			if files[l] == nil {
				t.Errorf("docker load does not find the layer %s", l)
			}
		}
	}
}

func TestLayer(t *testing.T) {
	packed, _, err := layer(sample("amd64").Layers[0], created)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed.data))
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	untar(t, z, func(h *tar.Header) {
		modes[h.Name] = h.Mode
		if !h.ModTime.Equal(created) || h.Uname != "" || h.Gname != "" {
			t.Errorf("%s says more than it should: %+v", h.Name, h)
		}
	})
	for name, mode := range map[string]int64{"etc/": 0o755, "etc/ssl/": 0o755, "etc/ssl/ca.crt": 0o644, "tmp/": 0o1777} {
		if got, there := modes[name]; !there || got != mode {
			t.Errorf("the mode of %s is %o, not %o", name, got, mode)
		}
	}
}

func TestRefused(t *testing.T) {
	bad := func(files ...File) Image { return Image{OS: "linux", Architecture: "amd64", Layers: [][]File{files}} }
	for name, tt := range map[string]struct {
		reference string
		images    []Image
		want      string
	}{
		"no image":                 {"a:1", nil, "needs an image"},
		"no tag":                   {"example.com:5000/a", []Image{sample("amd64")}, "no tag"},
		"a path that ends outside": {"a:1", []Image{bad(File{Path: "../x"})}, "no path"},
		"an absolute path":         {"a:1", []Image{bad(File{Path: "/x"})}, "no path"},
		"a path twice":             {"a:1", []Image{bad(File{Path: "x"}, File{Path: "x"})}, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := WriteArchive(io.Discard, tt.reference, tt.images); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}
