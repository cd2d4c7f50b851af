// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"cmp"
	"fmt"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// maxValues bounds the values of all sources together, in bytes.
const maxValues = 1 << 20

// defaultValuesKey is the key of a source that names none.
const defaultValuesKey = "values.yaml"

// values reads what helmConfig.valuesFrom names, in its order.
func (r *reading) values(from []v1alpha1.ValuesSource) ([]installer.Values, error) {
	var out []installer.Values
	total := 0
	for n, source := range from {
		content, found, err := r.content(source)
		if err != nil {
			return nil, err
		}
		key := cmp.Or(source.Key, defaultValuesKey)
		origin := fmt.Sprintf("%s %s/%s, key %s", source.Kind, r.namespace, source.Name, key)
		if !found {
			if source.Optional {
				continue
			}
			return nil, installer.Terminalf(installer.ReasonSourceUnavailable,
				"helmConfig.valuesFrom[%d] takes values from %s, which does not exist: create it, or make the source optional", n, origin)
		}
		if total += len(content); total > maxValues {
			return nil, installer.Terminalf(installer.ReasonTooLarge,
				"the values of helmConfig.valuesFrom are more than 1 MiB together, from %s on: take less from them", origin)
		}
		out = append(out, installer.Values{
			Origin: origin, Content: content, TargetPath: source.TargetPath,
			Secret: source.Kind == v1alpha1.SourceSecret,
		})
	}
	return out, nil
}

// content returns what a key holds, and whether object and key are there.
func (r *reading) content(source v1alpha1.ValuesSource) (content []byte, found bool, err error) {
	key := cmp.Or(source.Key, defaultValuesKey)
	switch source.Kind {
	case v1alpha1.SourceSecret:
		secret, err := r.secret(source.Name)
		if err != nil || secret == nil {
			return nil, false, err
		}
		content, found = secret.Data[key]
		return content, found, nil
	case v1alpha1.SourceConfigMap:
		configMap, err := r.configMap(source.Name)
		if err != nil || configMap == nil {
			return nil, false, err
		}
		if text, found := configMap.Data[key]; found {
			return []byte(text), true, nil
		}
		content, found = configMap.BinaryData[key]
		return content, found, nil
	default:
		return nil, false, installer.Terminalf(installer.ReasonSourceUnavailable,
			"values come from a ConfigMap or a Secret, not from a %q", source.Kind)
	}
}
