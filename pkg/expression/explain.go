// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// explain makes an Error of what an expression failed with. Most fail for a
// label that some target does not have.
func (e *Evaluator) explain(p *program, at int, err error) *Error {
	key, missing := strings.CutPrefix(err.Error(), "no such key: ")
	if !missing {
		return &Error{at: at, what: "fails", detail: clip(err.Error())}
	}
	for _, source := range []struct{ variable, kind string }{{targetLabels, "a label"}, {targetAnnotations, "an annotation"}} {
		if asks(p.ast.NativeRep().Expr(), source.variable, key) {
			return &Error{
				at:     at,
				what:   "asks for " + source.kind + " that the target does not have",
				detail: clip(fmt.Sprintf(`%q; give it to target %s, or a default to the expression: %s[?%q].orValue("...")`, key, e.facts.Target.Name, source.variable, key)),
			}
		}
	}
	return &Error{at: at, what: "asks for a key that is not there", detail: clip(key)}
}

// asks tells whether an expression asks a variable for a key: variable.key,
// variable["key"], or with a key that is computed.
func asks(root ast.Expr, variable, key string) bool {
	found := false
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			s := e.AsSelect()
			found = found || (isVariable(s.Operand(), variable) && s.FieldName() == key)
		case ast.CallKind:
			call := e.AsCall()
			if call.FunctionName() != operators.Index || !isVariable(call.Args()[0], variable) {
				return
			}
			index := call.Args()[1]
			found = found || index.Kind() != ast.LiteralKind || index.AsLiteral().Equal(types.String(key)) == types.True
		}
	}))
	return found
}

func isVariable(e ast.Expr, name string) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == name
}
