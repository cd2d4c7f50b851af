// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRedactorHidesWhatComesFromSecrets(t *testing.T) {
	r := newRedactor(map[string]any{
		"plain": "short",
		"any": map[string]any{
			"user":    confidential{"root"},
			"pin":     confidential{json.Number("4711")},
			"short":   confidential{json.Number("42")},
			"key":     confidential{"aB3"},
			"odd":     confidential{"a-b"},
			"flag":    confidential{true},
			"word":    confidential{"true"},
			"digit":   confidential{json.Number("7")},
			"none":    confidential{nil},
			"release": confidential{"web"},
			"quoted":  confidential{"say \"hunter\"\nhunter"},
			"url":     confidential{"postgres://admin:hUnter2!@db.example.com:5432/orders"},
		},
	}, "web", "namespace", "chart")
	for in, want := range map[string]string{
		"login of root failed":                              "login of (hidden) failed",
		"pin 4711, no 14711":                                "pin (hidden), no 1(hidden)",
		"42 is not 142":                                     "(hidden) is not 142",
		`key "aB3" of aB3x`:                                 `key "(hidden)" of aB3x`,
		"odd a-b":                                           "odd (hidden)",
		"it is true that 7 is a short digit":                "it is true that 7 is a short digit",
		"release web in namespace namespace":                "release web in namespace namespace",
		`cannot parse "say \"hunter\"\nhunter"`:             `cannot parse "(hidden)"`,
		"illegal value cm9vdA==":                            "illegal value (hidden)",
		`parse "x": invalid port ":hUnter2!@db" after host`: `parse "x": invalid port ":(hidden)@db" after host`,
		"orders of postgres":                                "orders of postgres",
	} {
		if got := r.text(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

// FuzzRedactor makes sure that no secret text of four characters or more is left
// in a message.
func FuzzRedactor(f *testing.F) {
	for _, s := range []string{"hunter2", "a b c d", "é\nÄÖ\n", "(hidden)", `"\n`, "true", "idde"} {
		f.Add(s, "before", "after")
	}
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(secret) < 4 || isFlag(secret) || strings.Contains(redacted, secret) || strings.Contains(before+after, secret) {
			return
		}
		got := newRedactor(map[string]any{"a": confidential{secret}}).text(before + "\x00" + secret + "\x00" + after)
		if strings.Contains(got, secret) && !strings.Contains(strings.Join(strings.Fields(redacted+before+"\x00"+redacted+"\x00"+after), " "), secret) {
			t.Errorf("%q is left in %q", secret, got)
		}
	})
}
