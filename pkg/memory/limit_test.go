// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	file := func(name, content string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(content)}} }
	for name, tc := range map[string]struct {
		cgroup fstest.MapFS
		env    string
		want   int64
	}{
		"version 2":            {cgroup: file("memory.max", "268435456\n"), want: 201326592},
		"version 2, none":      {cgroup: file("memory.max", "max\n")},
		"version 1":            {cgroup: file("memory/memory.limit_in_bytes", "268435456\n"), want: 201326592},
		"version 1, none":      {cgroup: file("memory/memory.limit_in_bytes", "9223372036854771712\n")},
		"no cgroup":            {cgroup: fstest.MapFS{}},
		"nonsense":             {cgroup: file("memory.max", "much\n")},
		"the operator says so": {cgroup: file("memory.max", "268435456\n"), env: "100MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(before)
			t.Setenv(Variable, tc.env)
			want := tc.want
			if got := Limit(tc.cgroup); got != want {
				t.Errorf("the limit is %d, want %d", got, want)
			}
			if want == 0 {
				want = before
			}
			if got := debug.SetMemoryLimit(-1); got != want {
				t.Errorf("the runtime has %d, want %d", got, want)
			}
		})
	}
}
