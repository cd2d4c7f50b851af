// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ports_test

import (
	"fmt"
	"net"
	"testing"

	"ksit.io/ksit/test/bed/internal/ports"
)

func newRange(t *testing.T) *ports.Range {
	t.Helper()
	r, err := ports.NewRange()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestRangesDoNotOverlap(t *testing.T) {
	seen := map[int]bool{}
	// More than a block each.
	for _, r := range []*ports.Range{newRange(t), newRange(t), newRange(t)} {
		for range 100 {
			port, err := r.Take()
			if err != nil {
				t.Fatal(err)
			}
			if seen[port] {
				t.Fatalf("port %d was handed out twice", port)
			}
			seen[port] = true
		}
	}
}

func TestTakeSkipsPortsInUse(t *testing.T) {
	r := newRange(t)
	first, err := r.Take()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+1))
	if err != nil {
		t.Skipf("someone took the next port: %v", err)
	}
	defer func() { _ = l.Close() }()
	second, err := r.Take()
	if err != nil {
		t.Fatal(err)
	}
	if second == first+1 {
		t.Errorf("handed out port %d, on which somebody listens", second)
	}
}
