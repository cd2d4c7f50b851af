// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"ksit.io/ksit/pkg/safeyaml"
)

const (
	maxArchiveBytes = 32 << 20
	// maxUnpackedBytes and maxArchiveEntries bound an archive together with those
	// of subcharts inside it, which the loader unpacks as well.
	maxUnpackedBytes  = 256 << 20
	maxArchiveEntries = 10_000
	// maxArchivedFile bounds one file, as the loader does.
	maxArchivedFile = 5 << 20
	// maxArchiveDepth bounds archives within archives.
	maxArchiveDepth = 8
)

// checkArchive refuses an archive that unpacks to more than is bearable, or that
// has in it what no chart needs: links, devices, names that lead out of it, the
// same name twice, YAML that its aliases blow up. The loader bounds the bytes of
// each archive; it follows those inside for as long as there are any.
func checkArchive(data []byte) error {
	if len(data) > maxArchiveBytes {
		return fmt.Errorf("more than %d MiB", maxArchiveBytes>>20)
	}
	c := archiveCheck{bytes: maxUnpackedBytes, entries: maxArchiveEntries}
	return c.archive(data, 0)
}

// archiveCheck is what room is left.
type archiveCheck struct {
	bytes   int64
	entries int
}

func (c *archiveCheck) archive(data []byte, depth int) error {
	if depth > maxArchiveDepth {
		return fmt.Errorf("more than %d archives within each other", maxArchiveDepth)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return errors.New("not a gzipped tar archive")
	}
	limited := &io.LimitedReader{R: unzipped, N: c.bytes + 1}
	reader := tar.NewReader(limited)
	seen := map[string]bool{}
	for {
		header, err := reader.Next()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("more than %d MiB unpacked", maxUnpackedBytes>>20)
		case errors.Is(err, io.EOF):
			c.bytes = limited.N - 1
			return nil
		case err != nil:
			return errors.New("not a gzipped tar archive, or cut short")
		}
		if c.entries--; c.entries < 0 {
			return fmt.Errorf("more than %d files", maxArchiveEntries)
		}
		name, err := entryName(header)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if seen[name] {
			return fmt.Errorf("it has %q twice", shorten(name, 128))
		}
		seen[name] = true
		inside := *c
		inside.bytes = limited.N - 1
		if err := inside.content(reader, name, depth); err != nil {
			return err
		}
		// What archives inside took is not there for the rest.
		limited.N = min(limited.N, inside.bytes+1)
		c.entries = inside.entries
	}
}

// entryName returns the name of a file in its one form; it is empty for what is
// no file.
func entryName(header *tar.Header) (string, error) {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeXGlobalHeader, tar.TypeXHeader:
		return "", nil
	case tar.TypeSymlink, tar.TypeLink:
		return "", fmt.Errorf("it has the link %q", shorten(header.Name, 128))
	default:
		return "", fmt.Errorf("it has %q, which is no file", shorten(header.Name, 128))
	}
	// As on Windows, as the loader takes them.
	name := strings.ReplaceAll(header.Name, `\`, "/")
	for segment := range strings.SplitSeq(name, "/") {
		if segment == ".." {
			return "", fmt.Errorf("it has the name %q, which leads out of it", shorten(header.Name, 128))
		}
	}
	if path.IsAbs(name) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("it has the name %q, which leads out of it", shorten(header.Name, 128))
	}
	if header.Typeflag == tar.TypeDir || strings.HasSuffix(name, "/") {
		return "", nil
	}
	return path.Clean(name), nil
}

// content looks into a file that the loader reads more of than its bytes.
func (c *archiveCheck) content(file io.Reader, name string, depth int) error {
	below := strings.Split(name, "/")
	isSubchart := len(below) > 2 && below[len(below)-2] == "charts" && path.Ext(name) == ".tgz"
	switch path.Base(name) {
	case "Chart.yaml", "Chart.lock", "values.yaml", "requirements.yaml", "requirements.lock":
	default:
		if !isSubchart {
			return nil
		}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxArchivedFile+1))
	if err != nil {
		return errors.New("not a gzipped tar archive, or cut short")
	}
	if len(data) > maxArchivedFile {
		return fmt.Errorf("%s is larger than %d MiB", shorten(name, 128), maxArchivedFile>>20)
	}
	if !isSubchart {
		if err := safeyaml.Bounded(data); err != nil {
			return fmt.Errorf("%s: %w", shorten(name, 128), err)
		}
		return nil
	}
	c.bytes -= int64(len(data))
	if err := c.archive(data, depth+1); err != nil {
		return fmt.Errorf("%s: %w", shorten(name, 128), err)
	}
	return nil
}
