// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// tenancyLine is a line of the table of docs/tenancy.md: its number, who does
// what, and whether that is so.
var tenancyLine = regexp.MustCompile(`(?m)^\| (\d+) \| (.+?) \| (.+?) \| (yes|no) \|$`)

// proof tries what a line of the table says, and tells whether it is so, with
// what was answered. That it cannot be tried fails the test.
type proof func(t *testing.T, w *tenants) (bool, string)

// TestTenancy tries every line of the table in docs/tenancy.md, in order: later
// ones go on where earlier ones end.
func TestTenancy(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "tenancy.md"))
	must(t, err)
	lines := tenancyLine.FindAllStringSubmatch(string(data), -1)
	proofs := tenancyProofs()
	if len(lines) != len(proofs) {
		t.Fatalf("the table has %d lines, and there are proofs for %d", len(lines), len(proofs))
	}
	w := newTenants(t)
	for n, line := range lines {
		if line[1] != strconv.Itoa(n+1) {
			t.Fatalf("line %s stands in place %d", line[1], n+1)
		}
		t.Run(line[1]+" "+line[2]+": "+line[3], func(t *testing.T) {
			so, answer := proofs[n](t, w)
			if so != (line[4] == "yes") {
				t.Errorf("the table says %s; the answer was: %s", line[4], answer)
			}
		})
	}
}

// tenancyProofs are in the order of the table.
func tenancyProofs() []proof {
	var all []proof
	for _, part := range [][]proof{namingProofs(), comingProofs(), writingProofs(), actingProofs(), owningProofs(), subresourceProofs()} {
		all = append(all, part...)
	}
	return all
}
