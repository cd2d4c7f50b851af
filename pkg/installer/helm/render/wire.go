// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"helm.sh/helm/v3/pkg/chartutil"
)

// maxFrameBytes bounds a message, in both directions.
const maxFrameBytes = 64 << 20

// limits are the first message to the child.
type limits struct {
	MemoryBytes uint64 `json:"memoryBytes"`
	CPUSeconds  uint64 `json:"cpuSeconds"`
	// Seconds are those after which the child ends by itself, should nobody be
	// left to end it.
	Seconds uint64 `json:"seconds"`
}

// order is the second, and the archive the third.
type order struct {
	Values       any                     `json:"values"`
	Release      Release                 `json:"release"`
	Capabilities *chartutil.Capabilities `json:"capabilities"`
	// Lookup is true where queries are answered.
	Lookup bool `json:"lookup"`
}

// report is what the child says: one of the three.
type report struct {
	Query  *Query  `json:"query,omitempty"`
	Result *Result `json:"result,omitempty"`
	Error  *Error  `json:"error,omitempty"`
}

// answer is what the child gets for a query.
type answer struct {
	Found json.RawMessage `json:"found,omitempty"`
	// Failed is true where the target did not answer. It is not said why: the
	// template may hand it on.
	Failed bool `json:"failed,omitempty"`
}

func writeFrame(w io.Writer, data []byte) error {
	if len(data) > maxFrameBytes {
		return errFrame
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	if _, err := w.Write(header); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

var errFrame = fmt.Errorf("a message of more than %d MiB", maxFrameBytes>>20)

func readFrame(r io.Reader) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > maxFrameBytes {
		return nil, errFrame
	}
	// It grows with what comes: the size alone is worth no memory.
	var data bytes.Buffer
	if n, err := io.CopyN(&data, r, int64(size)); err != nil {
		if n < int64(size) && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return data.Bytes(), nil
}

func writeMessage(w io.Writer, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return writeFrame(w, data)
}

// readMessage reads numbers as they are written.
func readMessage(r io.Reader, message any) error {
	data, err := readFrame(r)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(message)
}

// pack makes of values what JSON keeps apart: the integers of --set and the
// numbers of a file are other types to a template. Strings begin with s, such
// integers with i, floats with f.
func pack(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[key] = pack(child)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, child := range v {
			out[n] = pack(child)
		}
		return out
	case string:
		return "s" + v
	case int:
		return "i" + strconv.Itoa(v)
	case int64:
		return "i" + strconv.FormatInt(v, 10)
	case float64:
		return "f" + strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return v
	}
}

var errPacked = errors.New("values that were not packed")

func unpack(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			if v[key], err = unpack(child); err != nil {
				return nil, err
			}
		}
	case []any:
		for n, child := range v {
			if v[n], err = unpack(child); err != nil {
				return nil, err
			}
		}
	case string:
		if v == "" {
			return nil, errPacked
		}
		switch rest := v[1:]; v[0] {
		case 's':
			return rest, nil
		case 'i':
			return strconv.ParseInt(rest, 10, 64)
		case 'f':
			return strconv.ParseFloat(rest, 64)
		default:
			return nil, errPacked
		}
	}
	return value, nil
}
