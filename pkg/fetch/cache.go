// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"bytes"
	"container/list"
	"net/http"
	"sync"
)

// cache keeps downloads that their server can be asked about again. It is
// bounded by the bytes of the bodies; the least recently used go first.
type cache struct {
	maxBytes int64
	store    store

	mu    sync.Mutex
	bytes int64
	// order has the most recently used first; its elements are *entry.
	order   *list.List
	entries map[string]*list.Element
}

// entry is what is known of a download without its body.
type entry struct {
	url          string
	etag         string
	lastModified string
	size         int64
}

// download is a kept download. Its body is the caller's own.
type download struct {
	etag         string
	lastModified string
	body         []byte
}

// store keeps the bodies.
type store interface {
	// read returns a body that the caller may keep; nil when it is lost.
	read(url string) []byte
	// write tells whether it kept the body.
	write(url string, body []byte) bool
	remove(url string)
}

// newCache returns a cache on disk, or in memory where dir is empty. What
// another process left in dir is removed: it would count for nothing.
func newCache(dir string, maxBytes int64) (*cache, error) {
	c := &cache{maxBytes: maxBytes, order: list.New(), entries: map[string]*list.Element{}}
	if dir == "" {
		c.store = memoryStore{}
		return c, nil
	}
	disk, err := newDiskStore(dir)
	if err != nil {
		return nil, err
	}
	c.store = disk
	return c, nil
}

// condition asks for the download only if it changed.
func (d *download) condition(header http.Header) {
	if d.etag != "" {
		header.Set("If-None-Match", d.etag)
	}
	if d.lastModified != "" {
		header.Set("If-Modified-Since", d.lastModified)
	}
}

// get returns nil where nothing is kept.
func (c *cache) get(url string) *download {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[url]
	if !ok {
		return nil
	}
	e := element.Value.(*entry)
	body := c.store.read(url)
	if int64(len(body)) != e.size {
		c.drop(element)
		return nil
	}
	c.order.MoveToFront(element)
	return &download{etag: e.etag, lastModified: e.lastModified, body: body}
}

// put keeps a download if its server can be asked whether it changed, and it
// takes no more than a quarter of the room.
func (c *cache) put(url string, header http.Header, body []byte) {
	e := &entry{
		url:          url,
		etag:         header.Get("ETag"),
		lastModified: header.Get("Last-Modified"),
		size:         int64(len(body)),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[url]; ok {
		c.drop(old)
	}
	if (e.etag == "" && e.lastModified == "") || e.size == 0 || e.size > c.maxBytes/4 {
		return
	}
	for c.bytes+e.size > c.maxBytes {
		c.drop(c.order.Back())
	}
	if !c.store.write(url, body) {
		return
	}
	c.entries[url] = c.order.PushFront(e)
	c.bytes += e.size
}

func (c *cache) drop(element *list.Element) {
	e := c.order.Remove(element).(*entry)
	delete(c.entries, e.url)
	c.bytes -= e.size
	c.store.remove(e.url)
}

type memoryStore map[string][]byte

func (m memoryStore) read(url string) []byte { return bytes.Clone(m[url]) }

func (m memoryStore) write(url string, body []byte) bool {
	m[url] = bytes.Clone(body)
	return true
}

func (m memoryStore) remove(url string) { delete(m, url) }
