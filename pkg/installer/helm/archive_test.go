// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/pkg/installer"
)

// tarball makes an archive whose files have a size and no content to speak of.
func tarball(t *testing.T, count int, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	zipper := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipper)
	for i := range count {
		if err := archive.WriteHeader(&tar.Header{Name: fmt.Sprintf("web/templates/%d.yaml", i), Mode: 0o644, Size: size}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(archive, zeros{}, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipper.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLoadChart(t *testing.T) {
	good := packChart(t, "web", "1.0.0", files{"templates/c.yaml": configMap})
	if c, err := loadChart(good, "web"); err != nil || c.Metadata.Version != "1.0.0" {
		t.Fatal(c, err)
	}
	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"another name":         {packChart(t, "other", "1.0.0", nil), "of chart other"},
		"a library":            {packChart(t, "web", "1.0.0", files{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n"}), "library"},
		"a missing dependency": {packChart(t, "web", "1.0.0", files{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, repository: x}]\n"}), "sub"},
		"no version":           {packChart(t, "web", "1.0.0", files{"Chart.yaml": "apiVersion: v2\nname: web\n"}), "version"},
		"no Chart.yaml":        {packChart(t, "web", "1.0.0", files{"Chart.yaml": ""}), "web"},
		"bad Chart.yaml":       {packChart(t, "web", "1.0.0", files{"Chart.yaml": "a: b: c"}), "web"},
		"a path outside":       {packChart(t, "web", "1.0.0", files{"../../x": "y"}), "web"},
		"empty":                {nil, "gzip"},
		"HTML":                 {[]byte("<html>not found</html>"), "gzip"},
		"cut short":            {good[:len(good)-20], "cut short"},
		"many files":           {tarball(t, maxArchiveEntries+1, 0), "files"},
		"a bomb":               {tarball(t, 30, 10<<20), "unpacked"},
		"a large file":         {tarball(t, 1, 6<<20), "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadChart(test.data, "web")
			wantReason(t, err, installer.ReasonChartInvalid, true, test.says)
			if err != nil && len(err.Error()) > 2*maxErrorBytes {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// entry is one of an archive that tar would not make by itself.
type entry struct {
	header  tar.Header
	content string
}

func tarEntries(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zipper := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipper)
	for _, e := range entries {
		e.header.Size, e.header.Mode = int64(len(e.content)), 0o644
		if err := archive.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipper.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostileArchives(t *testing.T) {
	metadata := entry{tar.Header{Name: "web/Chart.yaml"}, "apiVersion: v2\nname: web\nversion: 1.0.0\n"}
	file := func(name, content string) entry { return entry{tar.Header{Name: name}, content} }
	laughs := "a: &a " + strings.Repeat("x", 100<<10) + "\nb: [" + strings.Repeat("*a, ", 200) + "]\n"
	// Each level holds the one below, and is hardly larger.
	nested := packChart(t, "sub", "1.0.0", nil)
	for range maxArchiveDepth + 1 {
		nested = packChart(t, "sub", "1.0.0", files{"charts/sub-1.0.0.tgz": string(nested)})
	}
	bombs := []entry{metadata}
	for n := range 12 {
		bombs = append(bombs, file(fmt.Sprintf("web/charts/sub%d.tgz", n), string(tarball(t, 5, 5<<20))))
	}
	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"a symbolic link":          {tarEntries(t, metadata, entry{tar.Header{Name: "web/templates/x", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}, ""}), "the link"},
		"a hard link":              {tarEntries(t, metadata, entry{tar.Header{Name: "web/x", Linkname: "web/Chart.yaml", Typeflag: tar.TypeLink}, ""}), "the link"},
		"a device":                 {tarEntries(t, metadata, entry{tar.Header{Name: "web/zero", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 5}, ""}), "no file"},
		"a block device":           {tarEntries(t, metadata, entry{tar.Header{Name: "web/disk", Typeflag: tar.TypeBlock}, ""}), "no file"},
		"a pipe":                   {tarEntries(t, metadata, entry{tar.Header{Name: "web/pipe", Typeflag: tar.TypeFifo}, ""}), "no file"},
		"an absolute name":         {tarEntries(t, metadata, file("/etc/passwd", "x")), "leads out"},
		"a name that leads up":     {tarEntries(t, metadata, file("web/../../x", "x")), "leads out"},
		"one with backslashes":     {tarEntries(t, metadata, file(`web\..\..\x`, "x")), "leads out"},
		"the same name twice":      {tarEntries(t, metadata, file("web/values.yaml", "a: 1"), file("web/values.yaml", "a: 2")), "twice"},
		"the same name otherwise":  {tarEntries(t, metadata, file("web/values.yaml", "a: 1"), file("web/./values.yaml", "a: 2")), "twice"},
		"values that laugh":        {tarEntries(t, metadata, file("web/values.yaml", laughs)), "aliases expanded"},
		"a Chart.yaml that laughs": {tarEntries(t, metadata, file("web/charts/a/Chart.yaml", laughs)), "aliases expanded"},
		"values of a subchart":     {tarEntries(t, metadata, file("web/charts/a.tgz", string(packChart(t, "a", "1.0.0", files{"values.yaml": laughs})))), "aliases expanded"},
		"archives in archives":     {packChart(t, "web", "1.0.0", files{"charts/sub-1.0.0.tgz": string(nested)}), "within each other"},
		"bombs in an archive":      {tarEntries(t, bombs...), "unpacked"},
		"many files in subcharts":  {tarEntries(t, metadata, file("web/charts/a.tgz", string(tarball(t, 6000, 0))), file("web/charts/b.tgz", string(tarball(t, 6000, 0)))), "files"},
		"huge values":              {tarEntries(t, metadata, file("web/values.yaml", strings.Repeat("a", maxArchivedFile+1))), "larger than 5 MiB"},
		"a zip":                    {[]byte("PK\x03\x04"), "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadChart(test.data, "web")
			wantReason(t, err, installer.ReasonChartInvalid, true, test.says)
		})
	}
	fine := tarEntries(t, entry{tar.Header{Name: "web/", Typeflag: tar.TypeDir}, ""}, metadata, file(`web/values.yaml`, "a: &a 1\nb: *a\n"))
	if _, err := loadChart(fine, "web"); err != nil {
		t.Error(err)
	}
}

func FuzzLoadChart(f *testing.F) {
	f.Add(packChart(f, "web", "1.0.0", files{"values.yaml": "a: 1", "templates/c.yaml": configMap}))
	f.Add(packChart(f, "web", "1.0.0", files{"charts/sub-1.0.0.tgz": string(packChart(f, "sub", "1.0.0", nil)), "crds/c.yaml": crdOf("Leaf", "leaves")}))
	f.Add(tarEntries(f, entry{tar.Header{Name: "web/Chart.yaml"}, "name: web"}, entry{tar.Header{Name: "x", Linkname: "y", Typeflag: tar.TypeSymlink}, ""}))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Most of what is changed in compressed bytes has another checksum: the
		// same is tried as the tar inside.
		var out bytes.Buffer
		zipper := gzip.NewWriter(&out)
		_, _ = zipper.Write(data)
		_ = zipper.Close()
		for _, archive := range [][]byte{data, out.Bytes()} {
			loaded, err := loadChart(archive, "web")
			if err != nil {
				if !installer.IsTerminal(err) {
					t.Errorf("error %v is not terminal", err)
				}
				continue
			}
			if loaded.Name() != "web" {
				t.Errorf("a chart called %q", loaded.Name())
			}
			_, _ = chartCRDs(loaded)
		}
	})
}

func TestArchiveCache(t *testing.T) {
	cache, err := newArchiveCache(filepath.Join(t.TempDir(), "charts"), 250)
	if err != nil {
		t.Fatal(err)
	}
	bodies := make([][]byte, 4)
	for i := range bodies {
		bodies[i] = bytes.Repeat([]byte{byte(i)}, 100)
	}
	age := func(body []byte, minutes int) {
		at := time.Now().Add(-time.Duration(minutes) * time.Minute)
		if err := os.Chtimes(filepath.Join(cache.dir, sha256Hex(body)+archiveSuffix), at, at); err != nil {
			t.Fatal(err)
		}
	}
	cache.put(t.Context(), "", bodies[0])
	age(bodies[0], 2)
	cache.put(t.Context(), "", bodies[1])
	age(bodies[1], 1)
	if _, ok := cache.get("", sha256Hex(bodies[0])); !ok {
		t.Fatal("an archive is not kept")
	}
	cache.put(t.Context(), "", bodies[2])
	for i, want := range []bool{true, false, true} {
		if _, ok := cache.get("", sha256Hex(bodies[i])); ok != want {
			t.Errorf("archive %d: kept %t", i, ok)
		}
	}
	path := filepath.Join(cache.dir, sha256Hex(bodies[2])+archiveSuffix)
	if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := cache.get("", sha256Hex(bodies[2])); ok {
		t.Error("an archive that was changed is used")
	}
	for _, bad := range []string{"", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("z", 64)} {
		if _, ok := cache.get("", bad); ok {
			t.Errorf("%q is taken for a digest", bad)
		}
	}
	var none *archiveCache
	none.put(t.Context(), "", bodies[0])
	if _, ok := none.get("", sha256Hex(bodies[0])); ok {
		t.Error("no cache keeps something")
	}
}
