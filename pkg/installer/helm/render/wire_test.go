// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPack(t *testing.T) {
	values := map[string]any{
		"s": "text", "empty": "", "i": int64(-5), "f": 1.5, "whole": 2.0, "n": json.Number("1000000"), "b": true, "none": nil,
		"list": []any{"sx", "i5", int64(1), []any{}, map[string]any{}},
	}
	var wire bytes.Buffer
	if err := writeMessage(&wire, pack(values)); err != nil {
		t.Fatal(err)
	}
	var read any
	if err := readMessage(&wire, &read); err != nil {
		t.Fatal(err)
	}
	got, err := unpack(read)
	if diff := cmp.Diff(any(values), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got := pack(3); got != "i3" {
		t.Errorf("an int is %v", got)
	}
	for _, bad := range []any{"", "x", "ix", "f", []any{"?"}, map[string]any{"a": "?"}} {
		if _, err := unpack(bad); err == nil {
			t.Errorf("%v is unpacked", bad)
		}
	}
}

func TestFrames(t *testing.T) {
	for name, test := range map[string]struct {
		data  []byte
		fails error
	}{
		"nothing":         {nil, io.EOF},
		"half a header":   {[]byte{0, 0}, io.ErrUnexpectedEOF},
		"cut short":       {[]byte{0, 0, 0, 5, 'x'}, io.ErrUnexpectedEOF},
		"too large":       {[]byte{0xff, 0xff, 0xff, 0xff}, errFrame},
		"large and empty": {[]byte{3, 0xff, 0xff, 0xff}, io.ErrUnexpectedEOF},
		"empty":           {[]byte{0, 0, 0, 0}, nil},
	} {
		if _, err := readFrame(bytes.NewReader(test.data)); !errors.Is(err, test.fails) {
			t.Errorf("%s: error %v, want %v", name, err, test.fails)
		}
	}
	if err := writeFrame(io.Discard, make([]byte, maxFrameBytes+1)); !errors.Is(err, errFrame) {
		t.Error(err)
	}
}

// FuzzReadReport has a child that says anything.
func FuzzReadReport(f *testing.F) {
	for _, said := range []any{report{Error: &Error{FaultTemplate, "x"}}, report{Query: &Query{Kind: "Secret"}}, report{Result: &Result{Manifest: "a: 1"}}, nil, 1} {
		var wire bytes.Buffer
		if err := writeMessage(&wire, said); err != nil {
			f.Fatal(err)
		}
		f.Add(wire.Bytes())
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var said report
		_ = readMessage(bytes.NewReader(wire), &said)
		var values any
		if readMessage(bytes.NewReader(wire), &values) == nil {
			unpacked, err := unpack(values)
			if err != nil {
				return
			}
			again, err := json.Marshal(pack(unpacked))
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(again) {
				t.Error("what was unpacked cannot be packed")
			}
		}
	})
}
