// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestConditionalRequests(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			var full, unchanged atomic.Int32
			version := atomic.Pointer[string]{}
			set := func(s string) { version.Store(&s) }
			set("one")
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				v := *version.Load()
				modified := "Mon, 02 Jan 2006 15:04:05 GMT"
				switch r.URL.Path {
				case "/etag":
					w.Header().Set("ETag", `"`+v+`"`)
				case "/modified":
					w.Header().Set("Last-Modified", modified)
				}
				if r.Header.Get("If-None-Match") == `"`+v+`"` || r.Header.Get("If-Modified-Since") == modified {
					unchanged.Add(1)
					w.WriteHeader(http.StatusNotModified)
					return
				}
				full.Add(1)
				_, _ = io.WriteString(w, v)
			})
			client := newTestClient(t, Options{AllowLocal: true, CacheDir: dir})
			get := func(path, want string, wantFull, wantUnchanged int32) {
				t.Helper()
				full.Store(0)
				unchanged.Store(0)
				body, err := client.Get(t.Context(), server.URL+path, Limits{})
				if err != nil || string(body) != want {
					t.Fatalf("%s: %q, %v", path, body, err)
				}
				if full.Load() != wantFull || unchanged.Load() != wantUnchanged {
					t.Fatalf("%s: %d full answers, %d unchanged", path, full.Load(), unchanged.Load())
				}
				// The caller owns what it gets.
				for i := range body {
					body[i] = 'x'
				}
			}
			get("/etag", "one", 1, 0)
			get("/etag", "one", 0, 1)
			get("/etag", "one", 0, 1)
			get("/etag?other", "one", 1, 0)
			get("/modified", "one", 1, 0)
			get("/modified", "one", 0, 1)
			get("/none", "one", 1, 0)
			get("/none", "one", 1, 0)
			set("two")
			get("/etag", "two", 1, 0)
			get("/etag", "two", 0, 1)
			// What is kept does not pass a smaller limit.
			if body, err := client.Get(t.Context(), server.URL+"/etag", Limits{MaxBytes: 2}); err == nil {
				t.Errorf("got %q past the limit", body)
			}
			if dir == "" {
				return
			}
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, file := range files {
				if err := os.WriteFile(file, []byte("bad"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			get("/etag", "two", 1, 0)
			// A new client starts with nothing.
			client = newTestClient(t, Options{AllowLocal: true, CacheDir: dir})
			get("/etag", "two", 1, 0)
		})
	}
}

func TestCacheBound(t *testing.T) {
	const room = 1000
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			c, err := newCache(dir, room)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{"Etag": {"x"}}
			c.put("large", header, make([]byte, room/4+1))
			if c.get("large") != nil {
				t.Error("one download takes more than a quarter")
			}
			for i := range 50 {
				c.put(fmt.Sprint(i), header, make([]byte, 100))
				if c.bytes > room || len(c.entries) != c.order.Len() {
					t.Fatalf("%d bytes, %d and %d entries", c.bytes, len(c.entries), c.order.Len())
				}
				if i >= 1 && c.get("0") == nil {
					t.Fatal("what is used most was dropped")
				}
			}
			if len(c.entries) != 10 || c.get("49") == nil || c.get("20") != nil {
				t.Errorf("%d entries", len(c.entries))
			}
			c.put("0", header, make([]byte, 50))
			c.put("49", http.Header{}, []byte("no validator"))
			if c.bytes != 850 || c.get("49") != nil {
				t.Errorf("%d bytes", c.bytes)
			}
			if dir != "" {
				files, err := os.ReadDir(dir)
				if err != nil || len(files) != len(c.entries) {
					t.Errorf("%d files, %v", len(files), err)
				}
			}
		})
	}
	off, err := newCache("", -1)
	if err != nil {
		t.Fatal(err)
	}
	off.put("x", http.Header{"Etag": {"x"}}, []byte("x"))
	if off.get("x") != nil {
		t.Error("a cache that is off keeps things")
	}
}

func TestCacheConcurrently(t *testing.T) {
	c, err := newCache(t.TempDir(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				key := fmt.Sprint((i + j) % 12)
				c.put(key, http.Header{"Etag": {"x"}}, []byte(strings.Repeat(key, 50)))
				if d := c.get(key); d != nil && !strings.HasPrefix(string(d.body), key) {
					t.Errorf("%s: got %q", key, d.body)
				}
			}
		})
	}
	group.Wait()
}

func TestCacheDirUnusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(Options{CacheDir: file}); err == nil {
		t.Error("a file is taken for a directory")
	}
}
