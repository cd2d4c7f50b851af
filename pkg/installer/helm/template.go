// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ksit.io/ksit/pkg/expression"
	"ksit.io/ksit/pkg/installer"
)

// maxPathBytes bounds the path of a value in an error.
const maxPathBytes = 256

// template evaluates the expressions in all strings of values, for the target of
// a request. What comes of a confidential string is confidential.
func template(values map[string]any, req installer.Request) (map[string]any, error) {
	evaluator, err := expression.New(expression.Facts{
		Target: expression.Target{
			Name: req.Target.Name, ClusterName: req.Target.ClusterName, Namespace: req.Target.Namespace,
			Labels: req.Target.Labels, Annotations: req.Target.Annotations,
		},
		Integration: expression.Integration{Name: req.Owner.Integration, Namespace: req.Owner.Namespace},
	})
	if err != nil {
		return nil, err
	}
	t := templating{evaluator: evaluator}
	if err := t.fields(values); err != nil {
		return nil, err
	}
	return values, nil
}

// templating is one walk through values; path leads to where it is.
type templating struct {
	evaluator *expression.Evaluator
	path      []string
}

// fields evaluates what is in a map, in the order of its keys, so that the same
// values fail with the same error.
func (t *templating) fields(m map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		step := strings.ReplaceAll(key, ".", `\.`)
		if len(t.path) > 0 {
			step = "." + step
		}
		value, err := t.value(m[key], step)
		if err != nil {
			return err
		}
		m[key] = value
	}
	return nil
}

// value returns what takes the place of a value, which is one step further down.
func (t *templating) value(value any, step string) (any, error) {
	t.path = append(t.path, step)
	defer func() { t.path = t.path[:len(t.path)-1] }()
	switch v := value.(type) {
	case map[string]any:
		return v, t.fields(v)
	case []any:
		for n := range v {
			element, err := t.value(v[n], "["+strconv.Itoa(n)+"]")
			if err != nil {
				return nil, err
			}
			v[n] = element
		}
		return v, nil
	case string:
		expanded, err := t.evaluator.Expand(v)
		if err != nil {
			return nil, t.fail(err.Error())
		}
		return expanded, nil
	case confidential:
		text, ok := v.value.(string)
		if !ok {
			return v, nil
		}
		expanded, err := t.evaluator.Expand(text)
		if err != nil {
			return nil, t.fail(publicText(err))
		}
		return conceal(expanded), nil
	default:
		return v, nil
	}
}

func (t *templating) fail(text string) error {
	return installer.Terminalf(installer.ReasonValuesInvalid, "the value %s: %s", shorten(strings.Join(t.path, ""), maxPathBytes), text)
}

// publicText is the text of an error of the evaluator without a word of what it
// was to evaluate.
func publicText(err error) string {
	if failure, ok := errors.AsType[*expression.Error](err); ok {
		return failure.Public() + " (it comes from a Secret and is not shown)"
	}
	return "it cannot be evaluated"
}
