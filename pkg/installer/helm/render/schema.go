// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// schemaURL is what the schema of a chart is called; it begins what errors say.
const schemaURL = "file:///values.schema.json"

// checkSchemas does what chartutil.ValidateAgainstSchema does, without fetching
// the schemas that one refers to: it has the same order, and the same text.
func checkSchemas(c *chart.Chart, values any) *Error {
	tree, ok := values.(chartutil.Values)
	if !ok {
		return nil
	}
	text, failure := mismatches(c, tree.AsMap())
	if failure != nil || text == "" {
		return failure
	}
	return &Error{FaultValues, "values don't meet the specifications of the schema(s) in the following chart(s):\n" + text}
}

func mismatches(c *chart.Chart, values map[string]any) (string, *Error) {
	var out strings.Builder
	if c.Schema != nil {
		text, failure := mismatch(c, values)
		if failure != nil {
			return "", failure
		}
		if text != "" {
			fmt.Fprintf(&out, "%s:\n%s", c.Name(), text)
		}
	}
	for _, sub := range c.Dependencies() {
		below, found := values[sub.Name()]
		if !found || below == nil {
			continue
		}
		m, ok := below.(map[string]any)
		if !ok {
			fmt.Fprintf(&out, "%s:\ninvalid type for values: expected object (map), got %T\n", sub.Name(), below)
			continue
		}
		text, failure := mismatches(sub, m)
		if failure != nil {
			return "", failure
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

// mismatch says what does not fit the schema of one chart.
func mismatch(c *chart.Chart, values map[string]any) (text string, failure *Error) {
	// The library has panicked on schemas before.
	defer func() {
		if r := recover(); r != nil {
			text, failure = "", &Error{FaultChart, fmt.Sprintf("the schema of chart %s cannot be used", c.Name())}
		}
	}()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	if err != nil {
		return "", &Error{FaultChart, fmt.Sprintf("the schema of chart %s is not JSON", c.Name())}
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(unfetched{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return "", &Error{FaultChart, fmt.Sprintf("the schema of chart %s: %s", c.Name(), err)}
	}
	schema, err := compiler.Compile(schemaURL)
	if err != nil {
		return "", &Error{FaultChart, fmt.Sprintf("the schema of chart %s: %s", c.Name(), err)}
	}
	if err := schema.Validate(values); err != nil {
		return strings.TrimPrefix(err.Error(), "jsonschema validation failed with '"+schemaURL+"#'\n") + "\n", nil
	}
	return "", nil
}

// unfetched is where schemas of other places come from: nowhere. Names in the
// place of addresses stand for anything, as with Helm.
type unfetched struct{}

func (unfetched) Load(at string) (any, error) {
	if strings.HasPrefix(at, "urn:") {
		return true, nil
	}
	return nil, errors.New("it refers to a schema elsewhere, which is not fetched: put it into values.schema.json")
}
