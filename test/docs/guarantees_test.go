// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	promise  = regexp.MustCompile(`(?m)^\| (\d+) \|(.*)$`)
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\([tf] \*testing\.[TF]\)`)
)

// promises is how many promises docs/guarantees.md makes.
const promises = 15

// TestGuarantees asks of every promise that the tests exist by which it is kept.
func TestGuarantees(t *testing.T) {
	const path = "docs/guarantees.md"
	text := read(t, path)
	known := testsOf(t)
	rows := promise.FindAllStringSubmatch(text, -1)
	if len(rows) != promises {
		t.Errorf("%s has %d promises, not %d", path, len(rows), promises)
	}
	for n, row := range rows {
		if row[1] != strconv.Itoa(n+1) {
			t.Errorf("%s: promise %s stands in place %d", path, row[1], n+1)
		}
		if !testName.MatchString(row[2]) {
			t.Errorf("%s: promise %s names no test", path, row[1])
		}
	}
	for _, match := range testName.FindAllStringSubmatch(text, -1) {
		if !known[match[1]] {
			t.Errorf("%s names the test %s, which is not there", path, match[1])
		}
	}
}

// TestSecurity asks of every row of docs/security.md that says what is done about
// something that the tests exist that prove it.
func TestSecurity(t *testing.T) {
	const path = "docs/security.md"
	known := testsOf(t)
	names := testName.FindAllStringSubmatch(read(t, path), -1)
	if len(names) == 0 {
		t.Errorf("%s names no test", path)
	}
	for _, match := range names {
		if !known[match[1]] {
			t.Errorf("%s names the test %s, which is not there", path, match[1])
		}
	}
}

// testsOf returns the names of all tests of the repository.
func testsOf(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, top := range []string{"pkg", "test"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, match := range testFunc.FindAllStringSubmatch(string(content), -1) {
				known[match[1]] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return known
}
