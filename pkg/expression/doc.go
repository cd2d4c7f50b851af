// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expression expands `${...}` in texts that tenants write. What stands
// between the braces is in the Common Expression Language, without what makes
// the work of an expression more than its length: no macros but has(), so no
// loops, and no regular expressions. What a text can cost is bounded by that,
// and by the limits below; a text can ask for nothing but the facts given.
//
// It has the standard functions and operators, optional values, as in
// target.labels[?"tier"].orValue("default"), and the functions on strings of
// CEL's strings extension that templates need: lowerAscii, upperAscii, trim,
// replace, split, join, substring, indexOf and lastIndexOf.
package expression

const (
	// MaxExpressions bounds the expressions of one Evaluator.
	MaxExpressions = 1000
	// MaxLength bounds an expression, in bytes.
	MaxLength = 2 << 10
	// MaxResult bounds the result of an expression, in bytes.
	MaxResult = 64 << 10
	// MaxOutput bounds the results of all expressions of an Evaluator, in bytes.
	MaxOutput = 1 << 20
	// MaxFact bounds a label or annotation, in bytes. Longer ones, such as what
	// kubectl remembers in an annotation, are not there for expressions.
	MaxFact = 4 << 10
)

// Facts are what expressions may ask about.
type Facts struct {
	Target      Target
	Integration Integration
}

// Target is the cluster that values are for.
type Target struct {
	Name, ClusterName, Namespace string
	Labels, Annotations          map[string]string
}

// Integration is what the values belong to.
type Integration struct {
	Name, Namespace string
}
