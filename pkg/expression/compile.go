// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/env"
)

// The names that expressions know.
const (
	targetName        = "target.name"
	targetClusterName = "target.clusterName"
	targetNamespace   = "target.namespace"
	targetLabels      = "target.labels"
	targetAnnotations = "target.annotations"
	integrationName   = "integration.name"
	integrationSpace  = "integration.namespace"
)

// known is the hint for who names something else.
var known = strings.Join([]string{
	targetName, targetClusterName, targetNamespace, targetLabels, targetAnnotations, integrationName, integrationSpace,
}, ", ")

// newEnvironment is CEL as doc.go describes it. Every variable has a type of
// its own, so that a misspelt one is found before anything is evaluated.
func newEnvironment() (*cel.Env, error) {
	labels := cel.MapType(cel.StringType, cel.StringType)
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{
			// A short regular expression can take long to compile.
			ExcludeFunctions: []*env.Function{{Name: "matches"}},
		})),
		cel.OptionalTypes(),
		// The macros of both loop over lists, or give a value a name and so let
		// the result grow with the power of the length.
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.Variable(targetName, cel.StringType),
		cel.Variable(targetClusterName, cel.StringType),
		cel.Variable(targetNamespace, cel.StringType),
		cel.Variable(targetLabels, labels),
		cel.Variable(targetAnnotations, labels),
		cel.Variable(integrationName, cel.StringType),
		cel.Variable(integrationSpace, cel.StringType),
	}
	return cel.NewCustomEnv(append(options, stringFunctions()...)...)
}

func variables(facts Facts) map[string]any {
	return map[string]any{
		targetName:        facts.Target.Name,
		targetClusterName: facts.Target.ClusterName,
		targetNamespace:   facts.Target.Namespace,
		targetLabels:      facts.Target.Labels,
		targetAnnotations: facts.Target.Annotations,
		integrationName:   facts.Integration.Name,
		integrationSpace:  facts.Integration.Namespace,
	}
}

// compile checks an expression. A document often has the same one again.
func (e *Evaluator) compile(text string, s segment) (*program, *Error) {
	if known, found := e.programs[s.expression]; found {
		return known, nil
	}
	fail := func(what, detail string) *Error {
		return &Error{at: s.at(text), what: what, detail: clip(detail)}
	}
	switch {
	case strings.TrimSpace(s.expression) == "":
		return nil, fail("is empty", "")
	case len(s.expression) > MaxLength:
		return nil, fail(fmt.Sprintf("is longer than %d bytes", MaxLength), "")
	}
	ast, issues := e.env.Compile(s.expression)
	if issues.Err() != nil {
		return nil, fail("is not valid", firstOf(issues))
	}
	evaluable, err := e.env.Program(ast)
	if err != nil {
		return nil, fail("is not valid", err.Error())
	}
	p := &program{Program: evaluable, ast: ast}
	e.programs[s.expression] = p
	return p, nil
}

// firstOf is the first thing that is wrong. The others often follow from it.
func firstOf(issues *cel.Issues) string {
	found := issues.Errors()
	if len(found) == 0 {
		return issues.Err().Error()
	}
	message := strings.TrimSuffix(found[0].Message, " (in container '')")
	if strings.HasPrefix(message, "undeclared reference to 'target'") || strings.HasPrefix(message, "undeclared reference to 'integration'") {
		message += "; there are " + known
	}
	return fmt.Sprintf("at its character %d: %s", found[0].Location.Column()+1, message)
}
