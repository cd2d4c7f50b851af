// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redactor takes what may be secret out of the texts of Helm and of API servers:
//
//   - values that API servers quote when they find a field invalid;
//   - what tpl says of a text that it was given, where any value may be secret;
//   - pieces of objects that decoders quote around a mistake;
//   - values that come from a Secret, also in base64, as they stand in a JSON
//     string, and in parts that look like a password; those of two or three
//     characters where they stand as a word. Booleans and single characters
//     tell nothing;
//   - values that the user gave otherwise: those whose key tells that they are
//     secret, of four characters or more, and the others of twelve or more.
//
// What is part of the names in plain is left: it is known anyway. What a
// template itself says by `fail` or `required` is passed on, less those.
type redactor struct {
	replacer *strings.Replacer
	// guarded is true where there are values that may be secret by more than
	// their length.
	guarded bool
	// words are what is hidden only as a word of its own.
	words map[string]bool
}

const redacted = "(hidden)"

var (
	quotedValues = regexp.MustCompile(`((?:Invalid|Unsupported|Duplicate) value: )(?:"(?:[^"\\]|\\.)*"|\S+)`)
	// decodeContext is what the decoders of JSON show around a mistake.
	decodeContext = regexp.MustCompile(`(?s)(error found in #\d+ byte of \.\.\.).*`)
	// notMatching is how JSON schemas report a string.
	notMatching = regexp.MustCompile(`'(?:[^'\\]|\\.)*' (does not match pattern|is not valid)`)
	// ofTpl is what tpl says of a text that it was given, mostly a value: the whole
	// of it, and pieces that the redactor cannot know again.
	ofTpl = regexp.MustCompile(`(?s)(cannot parse template|error during tpl function execution for) .*`)
	// notOfFormat is what follows: why a text is not of a format, in the words of
	// whoever could not read it.
	notOfFormat = regexp.MustCompile(`(is not valid [a-z-]+): [^\n]*`)
	secretKey   = regexp.MustCompile(`(?i)passw|passphrase|secret|token|credential|private|apikey|api_key|auth|dsn|connectionstring|webhook`)
	aWord       = regexp.MustCompile(`[\pL\pN_]+`)
)

// sensitivity is why a value may be secret.
type sensitivity int

const (
	// ordinary values are secret when they are long.
	ordinary sensitivity = iota
	// named values stand at a key that tells that they are secret.
	named
	// fromSecret values come from a Secret.
	fromSecret
)

// newRedactor returns a redactor for the values of a chart, in which what comes
// from Secrets is marked. plain are the names that a message needs: those of
// the release, its namespace and its chart.
func newRedactor(values map[string]any, plain ...string) *redactor {
	found, words, guarded := map[string]bool{}, map[string]bool{}, false
	collect(values, ordinary, func(s string, why sensitivity) {
		guarded = guarded || why != ordinary
		if slices.ContainsFunc(plain, func(p string) bool { return strings.Contains(p, s) }) {
			return
		}
		switch {
		case why == fromSecret && isFlag(s):
		case why == fromSecret && len(s) < 4 && aWord.FindString(s) == s:
			if utf8.RuneCountInString(s) > 1 {
				words[s] = true
			}
		case why == fromSecret && (len(s) >= 4 || len(s) >= 2 && aWord.MatchString(s)), why == named && len(s) >= 4, len(s) >= 12:
			found[s] = true
		}
	})
	secrets := make([]string, 0, len(found))
	for s := range found {
		secrets = append(secrets, s)
	}
	// The longest first: a value may be part of another.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, redacted)
	}
	return &redactor{replacer: strings.NewReplacer(pairs...), words: words, guarded: guarded}
}

// isFlag tells whether a text is a boolean or null, which tells nothing.
func isFlag(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "none":
		return true
	}
	return false
}

// collect calls found with the strings, and the numbers as text, of values.
func collect(value any, why sensitivity, found func(s string, why sensitivity)) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			below := why
			if secretKey.MatchString(key) {
				below = max(why, named)
			}
			collect(child, below, found)
		}
	case []any:
		for _, child := range v {
			collect(child, why, found)
		}
	case confidential:
		collect(v.value, fromSecret, found)
		if s, ok := v.value.(string); ok {
			disguises(s, found)
		}
	case string:
		found(v, why)
		// A text of several lines is quoted line by line.
		if strings.Contains(v, "\n") {
			for line := range strings.Lines(v) {
				if line = strings.TrimSpace(line); len(line) >= 4 {
					found(line, why)
				}
			}
		}
	case json.Number:
		found(v.String(), why)
	}
}

// disguises calls found with the forms in which a secret text may be quoted: as
// a template writes it into a Secret, as a decoder escapes it, and in parts, as
// of the URL of a database.
func disguises(s string, found func(s string, why sensitivity)) {
	if len(s) < 4 {
		return
	}
	found(base64.StdEncoding.EncodeToString([]byte(s)), fromSecret)
	if escaped, err := json.Marshal(s); err == nil {
		if inner := string(escaped[1 : len(escaped)-1]); inner != s {
			found(inner, fromSecret)
		}
	}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`:/@?&=,;|"'{}[]()<>`, r) }) {
		if len(part) >= 6 && part != s && !isPlainWord(part) {
			found(part, fromSecret)
		}
	}
}

// isPlainWord tells whether a part of a text looks like a word of a language,
// which to hide would make every message unreadable.
func isPlainWord(s string) bool {
	return len(s) < 16 && strings.IndexFunc(s[1:], func(r rune) bool { return !unicode.IsLower(r) && r != '-' && r != '.' }) < 0
}

// text returns s without what may be secret, and of bounded length.
func (r *redactor) text(s string) string {
	if r != nil && r.replacer != nil {
		s = r.replacer.Replace(s)
	}
	if r != nil && len(r.words) > 0 {
		s = aWord.ReplaceAllStringFunc(s, func(word string) string {
			if r.words[word] {
				return redacted
			}
			return word
		})
	}
	if r != nil && r.guarded {
		s = ofTpl.ReplaceAllString(s, "${1} "+redacted)
	}
	s = decodeContext.ReplaceAllString(s, "${1}"+redacted)
	s = quotedValues.ReplaceAllString(s, "${1}"+redacted)
	s = notOfFormat.ReplaceAllString(s, "${1}")
	s = notMatching.ReplaceAllString(s, redacted+" ${1}")
	return shorten(strings.Join(strings.Fields(s), " "), maxErrorBytes)
}
