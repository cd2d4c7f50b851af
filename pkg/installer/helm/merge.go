// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"helm.sh/helm/v3/pkg/strvals"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/safeyaml"
)

// maxOriginBytes bounds what is said of where values come from.
const maxOriginBytes = 640

// mergeValues returns the values of a chart: valuesFrom in its order, then
// valuesObject, then the entries of values in the order of their keys, so that
// the outcome does not depend on the order of a map. What comes from Secrets is
// marked as confidential.
func mergeValues(config *v1alpha1.HelmConfig, from []installer.Values) (map[string]any, error) {
	merged := map[string]any{}
	if config == nil {
		return merged, nil
	}
	for _, source := range from {
		if err := mergeSource(merged, source); err != nil {
			return nil, installer.Terminalf(installer.ReasonValuesInvalid, "the values of %s: %w", shorten(source.Origin, maxOriginBytes), err)
		}
	}
	object, err := objectOf(config.ValuesObject)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonValuesInvalid, "valuesObject: %w", err)
	}
	mergeMaps(merged, object)
	for _, key := range slices.Sorted(maps.Keys(config.Values)) {
		if err := setValue(merged, key, config.Values[key]); err != nil {
			return nil, installer.Terminalf(installer.ReasonValuesInvalid, "values[%q]: %w", shorten(key, 128), err)
		}
	}
	return merged, nil
}

// objectOf reads valuesObject. JSON is YAML too, but numbers stay as they are
// written, as they do when Helm reads the values of a chart: as floats, large
// ones would be rendered as 1e+06.
func objectOf(raw *runtime.RawExtension) (map[string]any, error) {
	if raw == nil || len(raw.Raw) == 0 {
		return nil, nil
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		return nil, errors.New("it is not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is more than one JSON object")
	}
	return object, nil
}

// mergeSource merges what one entry of valuesFrom holds into values.
func mergeSource(into map[string]any, source installer.Values) error {
	mark := func(value any) any { return value }
	if source.Secret {
		mark = conceal
	}
	if source.TargetPath != "" {
		if !utf8.Valid(source.Content) {
			return errors.New("the text is not valid UTF-8")
		}
		if err := setWhole(into, source.TargetPath, mark(string(source.Content))); err != nil {
			return fmt.Errorf("targetPath %q: %w", shorten(source.TargetPath, 128), err)
		}
		return nil
	}
	document, err := safeyaml.Decode(source.Content)
	if err != nil {
		return err
	}
	switch values := mark(document).(type) {
	case map[string]any:
		mergeMaps(into, values)
		return nil
	default:
		if document == nil {
			return nil
		}
		return errors.New("they are no map: give targetPath to set a text at one place")
	}
}

// mergeMaps merges maps as Helm merges files of values: maps key by key, while
// anything else, lists and null included, takes the place of what was there.
func mergeMaps(into, from map[string]any) {
	for key, value := range from {
		if child, ok := value.(map[string]any); ok {
			if existing, ok := into[key].(map[string]any); ok {
				mergeMaps(existing, child)
				continue
			}
		}
		into[key] = value
	}
}

// setWhole sets a value at a path in the notation of the keys of values, as
// `helm --set-file` does: the value is taken as it is.
func setWhole(into map[string]any, path string, value any) error {
	if err := checkKey(path); err != nil {
		return err
	}
	if err := strvals.ParseIntoFile(escapeCommas(path)+"=file", into, func([]rune) (any, error) { return value, nil }); err != nil {
		return errPath
	}
	return nil
}
