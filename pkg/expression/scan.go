// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import "strings"

const (
	opening = "${"
	// escaped is a literal opening.
	escaped = "$${"
)

// segment is a part of a text: either literal, or an expression.
type segment struct {
	literal    string
	expression string
	// offset is that of the expression in the text; 0 for a literal.
	offset int
}

func (s segment) isExpression() bool { return s.offset > 0 }

// scan takes a text apart.
func scan(text string) ([]segment, *Error) {
	var segments []segment
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			segments = append(segments, segment{literal: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, escaped):
			literal.WriteString(opening)
			i += len(escaped)
		case strings.HasPrefix(rest, opening):
			flush()
			begin := i + len(opening)
			length := closing(text[begin:])
			if length < 0 {
				return nil, &Error{at: position(text, i), what: "is not closed: a } is missing, or write $${ for a literal ${"}
			}
			segments = append(segments, segment{expression: text[begin : begin+length], offset: begin})
			i = begin + length + 1
		default:
			literal.WriteByte(text[i])
			i++
		}
	}
	flush()
	return segments, nil
}

// closing is where the brace stands that ends an expression, -1 without one.
// Braces of maps, in strings and in comments do not end it.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\'':
			end := endOfString(s, i)
			if end < 0 {
				return -1
			}
			i = end
			continue
		case c == '/' && strings.HasPrefix(s[i:], "//"):
			newline := strings.IndexByte(s[i:], '\n')
			if newline < 0 {
				return -1
			}
			i += newline
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
		i++
	}
	return -1
}

// endOfString is the index after the string literal of CEL whose first quote is
// at begin, -1 where it does not end.
func endOfString(s string, begin int) int {
	quote := s[begin : begin+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s[begin:], triple) {
		quote = triple
	}
	raw := isRaw(s[:begin])
	for i := begin + len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\' && !raw:
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		}
	}
	return -1
}

// isRaw tells whether what stands before a quote makes it one of a raw string,
// in which a backslash means itself: r, or r and b in any order.
func isRaw(before string) bool {
	prefix := before[len(strings.TrimRight(before, "rRbB")):]
	return strings.ContainsAny(prefix, "rR")
}
