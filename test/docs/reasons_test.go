// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// reason is a word that stands in a status or an event, and where it is from.
type reason struct {
	word, path string
}

// sources are the packages that write reasons.
var sources = []string{
	"pkg/installer", "pkg/cluster", "pkg/health",
	"pkg/controller/target", "pkg/controller/integration", "pkg/controller/installation",
}

// argument says which argument of a function is a reason.
var argument = map[string]int{
	// pkg/cluster
	"no": 0,
	// pkg/health; orElse has the reason for want of one.
	"failed": 0, "progressing": 0, "unknown": 0, "orElse": 1,
	// pkg/controller
	"setReady": 2, "set": 2, "setCondition": 3, "Eventf": 3,
}

var word = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)

// reasons reads them out of the sources: constants of a type Reason, fields of
// that name, and what is given to the functions above.
func reasons(t *testing.T) []reason {
	t.Helper()
	var found []reason
	for _, dir := range sources {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no sources in %s (%v)", dir, err)
		}
		before := len(found)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(node ast.Node) bool {
				for _, expr := range candidates(node) {
					if text, ok := literal(expr); ok && word.MatchString(text) {
						found = append(found, reason{text, dir + "/" + filepath.Base(name)})
					}
				}
				return true
			})
		}
		if len(found) == before {
			t.Errorf("no reasons in %s: does this test still know how they are written?", dir)
		}
	}
	return found
}

// candidates returns the expressions of a node that are reasons if they are
// words.
func candidates(node ast.Node) []ast.Expr {
	switch n := node.(type) {
	case *ast.ValueSpec:
		if named(n.Type, "Reason") {
			return n.Values
		}
	case *ast.KeyValueExpr:
		if named(n.Key, "Reason") || named(n.Key, "reason") {
			return []ast.Expr{n.Value}
		}
	case *ast.CompositeLit:
		// Without the names of its fields: status, reason, message.
		if named(n.Type, "Finding") && len(n.Elts) == 3 {
			return n.Elts[1:2]
		}
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if at, known := argument[name]; known && at < len(n.Args) {
			return n.Args[at : at+1]
		}
	}
	return nil
}

func named(expr ast.Expr, name string) bool {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name == name
	case *ast.SelectorExpr:
		return e.Sel.Name == name
	}
	return false
}

func literal(expr ast.Expr) (string, bool) {
	basic, ok := expr.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}
