// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit"
)

// NormaliseValuesObject writes the valuesObject of a spec in one form: keys in
// order, no spaces. Clients that decode an object and encode it again reorder
// it; that must not look like a change. What is no JSON is left for validation
// to refuse.
func NormaliseValuesObject(install *ksit.AutoInstall) {
	if install == nil || install.HelmConfig == nil || install.HelmConfig.ValuesObject == nil {
		return
	}
	config := install.HelmConfig
	if config.ValuesObject.Object != nil {
		return
	}
	if len(config.ValuesObject.Raw) == 0 {
		config.ValuesObject = nil
		return
	}
	if raw, err := normaliseJSON(config.ValuesObject.Raw); err == nil {
		config.ValuesObject = &runtime.RawExtension{Raw: raw}
	}
}

func normaliseJSON(raw []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	// Numbers stay as they were written: a float would lose digits.
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
