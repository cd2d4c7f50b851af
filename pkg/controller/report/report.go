// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report writes the lines of the log that an operator looks for. They are
// written whatever the verbosity, and can be found by one word in either format:
// what went well carries a tick, what went wrong the word ERROR, which the text
// format has nowhere else.
package report

import (
	"context"
	"errors"
	"strings"

	"k8s.io/klog/v2"
)

const (
	// Tick is in each line about something that went well.
	Tick = "✅"
	// Error is in each line about something that went wrong.
	Error = "ERROR"
)

// Good tells of something that went well.
func Good(ctx context.Context, what string, fields ...any) {
	klog.FromContext(ctx).WithCallDepth(1).Info(Tick+" "+what, oneLine(fields)...)
}

// Bad tells of something that went wrong, and why.
func Bad(ctx context.Context, why, what string, fields ...any) {
	klog.FromContext(ctx).WithCallDepth(1).Error(errors.New(joined(why)), Error+" "+what, oneLine(fields)...)
}

// Plain tells of something that is neither.
func Plain(ctx context.Context, what string, fields ...any) {
	klog.FromContext(ctx).WithCallDepth(1).Info(what, oneLine(fields)...)
}

// oneLine keeps fields from breaking a line in two: what reads the log, grep
// first of all, would see the one half without the other.
func oneLine(fields []any) []any {
	kept := make([]any, len(fields))
	for n, field := range fields {
		kept[n] = field
		if text, ok := field.(string); ok {
			kept[n] = joined(text)
		}
	}
	return kept
}

func joined(text string) string {
	if !strings.ContainsAny(text, "\n\r") {
		return text
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
