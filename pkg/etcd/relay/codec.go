// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// frame is a message that nobody looks into.
type frame struct{ payload []byte }

// codec passes messages as they are.
type codec struct{}

var _ encoding.CodecV2 = codec{}

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("the relay sends frames, not %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.payload)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("the relay receives frames, not %T", v)
	}
	f.payload = data.Materialize() // a copy: data is used again
	return nil
}

// Name implements encoding.CodecV2. It is what is in the frames.
func (codec) Name() string { return "proto" }
