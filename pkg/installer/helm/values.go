// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"helm.sh/helm/v3/pkg/strvals"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// maxIndex bounds the index of a list in a key: strvals makes room for all
// elements up to it.
const maxIndex = 1024

var errPath = errors.New("it cannot be set: its path runs through a value that is no map or list, or is not one that helm --set takes")

var listIndex = regexp.MustCompile(`\[\s*([0-9]+)\s*\]`)

// setValue sets one value as `helm --set key=value` does, with each entry being
// one assignment:
//
//   - a comma is part of the value (or of the key), and begins no other one;
//   - a value in braces is a list, as with --set: {a,b} has two elements. What
//     begins with a brace and is not such a list, {a}b, is taken literally;
//   - \ takes the character after it literally, in keys and values.
func setValue(into map[string]any, key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if !utf8.ValidString(value) {
		return errors.New("the value is not valid UTF-8")
	}
	switch {
	case strings.HasPrefix(value, "{") && !isList(value):
		value = `\` + escapeCommas(value)
	case !strings.HasPrefix(value, "{"):
		value = escapeCommas(value)
	}
	if err := strvals.ParseInto(escapeCommas(key)+"="+value, into); err != nil {
		// The error of strvals may hold the value.
		return errPath
	}
	return nil
}

func checkKey(key string) error {
	if key == "" || !utf8.ValidString(key) {
		return errors.New("the key is empty or not valid UTF-8")
	}
	for i := 0; i < len(key); i++ {
		switch key[i] {
		case '\\':
			i++
		case '=':
			return errors.New(`the key has an =, which must be written \=`)
		}
	}
	if strings.HasSuffix(key, ".") && !strings.HasSuffix(key, `\.`) {
		return errors.New("the key ends with a dot")
	}
	for _, match := range listIndex.FindAllStringSubmatch(key, -1) {
		if n, err := strconv.Atoi(match[1]); err != nil || n > maxIndex {
			return fmt.Errorf("the index [%s] is larger than %d", shorten(match[1], 16), maxIndex)
		}
	}
	return nil
}

// isList tells whether a value that begins with a brace is a list to strvals:
// the first closing brace is its end.
func isList(value string) bool {
	for i := 1; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '}':
			return i == len(value)-1
		}
	}
	return false
}

// escapeCommas puts a backslash before the commas that have none.
func escapeCommas(s string) string {
	if !strings.Contains(s, ",") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			out.WriteByte(s[i])
			i++
		case s[i] == ',':
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// sameValues tells whether two sets of values mean the same: equal after a
// trip through JSON, which is how a release keeps them.
func sameValues(a, b map[string]any) bool {
	x, errX := canonical(a)
	y, errY := canonical(b)
	if errX != nil || errY != nil {
		return false
	}
	if bytes.Equal(x, y) {
		return true
	}
	// 1.0 and 1 are written apart and are one number.
	var p, q any
	return json.Unmarshal(x, &p) == nil && json.Unmarshal(y, &q) == nil && reflect.DeepEqual(p, q)
}

// canonical writes values with sorted keys; no values are an empty object.
func canonical(values map[string]any) ([]byte, error) {
	if len(values) == 0 {
		return []byte("{}"), nil
	}
	return json.Marshal(values)
}

// digest is that of what a release was asked to be. The values in it cannot be
// told from it: that it is on the status gives nothing away but equality.
func digest(chart, version string, values map[string]any, policy v1alpha1.CRDPolicy) (string, error) {
	encoded, err := canonical(values)
	if err != nil {
		return "", installer.Terminalf(installer.ReasonValuesInvalid, "the values cannot be written as JSON")
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(chart), []byte(version), encoded, []byte(policy)} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// shorten cuts s to at most n bytes, between characters, and shows that it did.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
