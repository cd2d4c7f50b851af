// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package terminal

import "strings"

// barWidth is the width of a bar, in columns.
const barWidth = 20

// Bar returns a bar of which done of total parts are full.
func (t *Terminal) Bar(done, total int, style Style) string {
	full := 0
	if total > 0 {
		full = min(max(done, 0), total) * barWidth / total
	}
	return t.Paint(style, strings.Repeat("█", full)) + t.Paint(Faint, strings.Repeat("░", barWidth-full))
}
