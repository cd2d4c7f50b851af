// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDetail bounds what is quoted of an expression or its parser.
const maxDetail = 256

// Error says why a text cannot be expanded.
type Error struct {
	// at is the character of the text at which the expression begins, from 1.
	at int
	// what is wrong, without a word of the text.
	what string
	// detail may quote the text.
	detail string
}

// Error says what is wrong and may quote the text.
func (e *Error) Error() string {
	if e.detail == "" {
		return e.Public()
	}
	return e.Public() + ": " + e.detail
}

// Public is Error without a word of the text: for texts that are secret.
func (e *Error) Public() string {
	return fmt.Sprintf("the expression at character %d %s", e.at, e.what)
}

// position is the number of the character at a byte of a text, from 1.
func position(text string, offset int) int {
	return utf8.RuneCountInString(text[:offset]) + 1
}

// clip makes one line of bounded length of a text.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxDetail {
		return s
	}
	cut := maxDetail
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
