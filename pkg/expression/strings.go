// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// stringFunctions are those of CEL's strings extension that templates need, of
// the same names and meaning. They are not the extension's own, whose time and
// results have no bound: replace in a replace in a replace grows as it likes.
func stringFunctions() []cel.EnvOption {
	text, number, texts := cel.StringType, cel.IntType, cel.ListType(cel.StringType)
	member := func(name, id string, args []*cel.Type, result *cel.Type, call func(args []ref.Val) ref.Val) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload(id, args, result, cel.FunctionBinding(func(args ...ref.Val) ref.Val {
			for _, arg := range args {
				if s, ok := arg.(types.String); ok && len(s) > MaxResult {
					return tooLong()
				}
			}
			return call(args)
		})))
	}
	unary := func(name, id string, call func(string) string) cel.EnvOption {
		return member(name, id, []*cel.Type{text}, text, func(args []ref.Val) ref.Val { return types.String(call(str(args[0]))) })
	}
	return []cel.EnvOption{
		unary("lowerAscii", "string_lower_ascii", func(s string) string { return mapASCII(s, 'A', 'Z', 'a'-'A') }),
		unary("upperAscii", "string_upper_ascii", func(s string) string { return mapASCII(s, 'a', 'z', 'A'-'a') }),
		unary("trim", "string_trim", strings.TrimSpace),
		member("replace", "string_replace_string_string", []*cel.Type{text, text, text}, text, func(args []ref.Val) ref.Val {
			return replace(str(args[0]), str(args[1]), str(args[2]))
		}),
		member("split", "string_split_string", []*cel.Type{text, text}, texts, func(args []ref.Val) ref.Val {
			return types.NewStringList(types.DefaultTypeAdapter, strings.Split(str(args[0]), str(args[1])))
		}),
		member("join", "list_join", []*cel.Type{texts}, text, func(args []ref.Val) ref.Val { return join(args[0], "") }),
		member("join", "list_join_string", []*cel.Type{texts, text}, text, func(args []ref.Val) ref.Val {
			return join(args[0], str(args[1]))
		}),
		member("substring", "string_substring_int", []*cel.Type{text, number}, text, func(args []ref.Val) ref.Val {
			return substring(str(args[0]), num(args[1]), int64(utf8.RuneCountInString(str(args[0]))))
		}),
		member("substring", "string_substring_int_int", []*cel.Type{text, number, number}, text, func(args []ref.Val) ref.Val {
			return substring(str(args[0]), num(args[1]), num(args[2]))
		}),
		member("indexOf", "string_index_of_string", []*cel.Type{text, text}, number, func(args []ref.Val) ref.Val {
			return characters(str(args[0]), strings.Index(str(args[0]), str(args[1])))
		}),
		member("lastIndexOf", "string_last_index_of_string", []*cel.Type{text, text}, number, func(args []ref.Val) ref.Val {
			return characters(str(args[0]), strings.LastIndex(str(args[0]), str(args[1])))
		}),
	}
}

// str and num are arguments whose type the checker or the dispatcher made sure of.
func str(v ref.Val) string { s, _ := v.(types.String); return string(s) }
func num(v ref.Val) int64  { n, _ := v.(types.Int); return int64(n) }

func tooLong() ref.Val { return types.NewErr("a text is longer than %d bytes", MaxResult) }

func mapASCII(s string, from, to, by rune) string {
	return strings.Map(func(r rune) rune {
		if from <= r && r <= to {
			return r + by
		}
		return r
	}, s)
}

func replace(s, before, after string) ref.Val {
	if len(s)+strings.Count(s, before)*len(after) > MaxResult {
		return tooLong()
	}
	return types.String(strings.ReplaceAll(s, before, after))
}

func join(list ref.Val, separator string) ref.Val {
	lister, ok := list.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(list)
	}
	var out strings.Builder
	for it, first := lister.Iterator(), true; it.HasNext() == types.True; first = false {
		element, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("join takes texts only")
		}
		if !first {
			out.WriteString(separator)
		}
		out.WriteString(string(element))
		if out.Len() > MaxResult {
			return tooLong()
		}
	}
	return types.String(out.String())
}

// substring is what stands from one character up to another.
func substring(s string, begin, end int64) ref.Val {
	runes := []rune(s)
	if begin < 0 || end < begin || end > int64(len(runes)) {
		return types.NewErr("substring from %d to %d of a text of %d characters", begin, end, len(runes))
	}
	return types.String(runes[begin:end])
}

// characters is the index of a character for that of a byte.
func characters(s string, index int) ref.Val {
	if index < 0 {
		return types.Int(-1)
	}
	return types.Int(utf8.RuneCountInString(s[:index]))
}
