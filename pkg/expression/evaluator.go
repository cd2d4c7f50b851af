// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
)

// Evaluator expands the texts of one document. It is not safe for use by
// several goroutines.
type Evaluator struct {
	env      *cel.Env
	facts    Facts
	vars     map[string]any
	programs map[string]*program
	// expressions and output are what the document has taken of its bounds.
	expressions, output int
}

// program is an expression, ready to be evaluated.
type program struct {
	cel.Program
	ast *cel.Ast
}

// New returns an Evaluator over facts.
func New(facts Facts) (*Evaluator, error) {
	env, err := newEnvironment()
	if err != nil {
		return nil, fmt.Errorf("preparing the evaluation of expressions: %w", err)
	}
	facts.Target.Labels = usable(facts.Target.Labels)
	facts.Target.Annotations = usable(facts.Target.Annotations)
	return &Evaluator{env: env, facts: facts, vars: variables(facts), programs: map[string]*program{}}, nil
}

// usable leaves out what is longer than MaxFact.
func usable(facts map[string]string) map[string]string {
	out := make(map[string]string, len(facts))
	for k, v := range facts {
		if len(v) <= MaxFact {
			out[k] = v
		}
	}
	return out
}

// Expand returns a text with its expressions evaluated: the result as it is of
// a text that is one expression, else a string. Results are nil, bool, string,
// json.Number, []any and map[string]any. An error is an *Error.
func (e *Evaluator) Expand(text string) (any, error) {
	segments, failure := e.parse(text)
	if failure != nil {
		return nil, failure
	}
	if len(segments) == 1 && segments[0].isExpression() {
		value, failure := e.evaluate(text, segments[0])
		if failure != nil {
			return nil, failure
		}
		return value, nil
	}
	var out strings.Builder
	for _, s := range segments {
		if !s.isExpression() {
			out.WriteString(s.literal)
			continue
		}
		value, failure := e.evaluate(text, s)
		if failure != nil {
			return nil, failure
		}
		part, ok := scalarText(value)
		if !ok {
			return nil, &Error{at: s.at(text), what: fmt.Sprintf("gives %s, which cannot be part of a text: make it the whole text", kindOf(value))}
		}
		out.WriteString(part)
	}
	return out.String(), nil
}

// Check tells whether a text can be expanded at all, whatever the facts are. An
// error is an *Error.
func (e *Evaluator) Check(text string) error {
	segments, failure := e.parse(text)
	if failure != nil {
		return failure
	}
	for _, s := range segments {
		if !s.isExpression() {
			continue
		}
		if _, failure := e.compile(text, s); failure != nil {
			return failure
		}
	}
	return nil
}

// parse takes a text apart and counts its expressions.
func (e *Evaluator) parse(text string) ([]segment, *Error) {
	if !strings.Contains(text, opening) {
		return []segment{{literal: text}}, nil
	}
	segments, failure := scan(text)
	if failure != nil {
		return nil, failure
	}
	for _, s := range segments {
		if !s.isExpression() {
			continue
		}
		if e.expressions++; e.expressions > MaxExpressions {
			return nil, &Error{at: s.at(text), what: fmt.Sprintf("is one too many: there may be %d", MaxExpressions)}
		}
	}
	return segments, nil
}

// at is the character of the text at which the expression begins.
func (s segment) at(text string) int { return position(text, s.offset-len(opening)) }

// evaluate returns the result of an expression as a value of JSON.
func (e *Evaluator) evaluate(text string, s segment) (any, *Error) {
	p, failure := e.compile(text, s)
	if failure != nil {
		return nil, failure
	}
	result, _, err := p.Eval(e.vars)
	if err != nil {
		return nil, e.explain(p, s.at(text), err)
	}
	room := min(MaxResult, MaxOutput-e.output)
	c := conversion{room: room}
	value, err := c.convert(result)
	if err != nil {
		return nil, &Error{at: s.at(text), what: err.Error()}
	}
	e.output += room - c.room
	return value, nil
}
