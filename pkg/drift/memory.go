// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"container/list"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/types"
)

// maxRemembered bounds the objects that are remembered, those of all releases
// together. Each takes some 200 bytes.
const maxRemembered = 200_000

// record is what is remembered of an object.
type record struct {
	// known is false for one that could not be compared yet.
	known bool
	// seen is what it looked like then; zero for one that was missing.
	seen fingerprint
	// finding is nil for one that was as applied.
	finding *Finding
}

// state is what is remembered of a release. It is not changed once it is kept.
type state struct {
	// content stands for what was applied, and what is ignored of it.
	content string
	// whole is when all objects are compared again.
	whole   time.Time
	records map[object.ObjMetadata]record
}

func (s *state) findings() []Finding {
	var all []Finding
	for _, r := range s.records {
		if r.finding != nil {
			all = append(all, *r.finding)
		}
	}
	return sorted(all)
}

type memoryKey struct {
	target, release types.NamespacedName
}

// memory keeps states, the least recently used of which go first.
type memory struct {
	limit int

	mu      sync.Mutex
	objects int
	// order has the most recently used first; its elements are *memoryEntry.
	order   *list.List
	entries map[memoryKey]*list.Element
}

type memoryEntry struct {
	key   memoryKey
	state *state
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, order: list.New(), entries: map[memoryKey]*list.Element{}}
}

// get returns the state of a release, and an empty one where there is none of
// this content.
func (m *memory) get(key memoryKey, content string) (*state, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := m.entries[key]
	if !ok {
		return &state{}, false
	}
	s := element.Value.(*memoryEntry).state
	if s.content != content {
		return &state{}, false
	}
	m.order.MoveToFront(element)
	return s, true
}

func (m *memory) put(key memoryKey, s *state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.entries[key]; ok {
		m.drop(old)
	}
	if len(s.records) > m.limit {
		return
	}
	for m.objects+len(s.records) > m.limit {
		m.drop(m.order.Back())
	}
	m.entries[key] = m.order.PushFront(&memoryEntry{key, s})
	m.objects += len(s.records)
}

func (m *memory) drop(element *list.Element) {
	e := m.order.Remove(element).(*memoryEntry)
	delete(m.entries, e.key)
	m.objects -= len(e.state.records)
}
