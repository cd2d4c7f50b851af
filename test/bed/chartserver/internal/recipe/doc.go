// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package recipe expands the *.recipe.yaml files of the stand-in charts into
// the large files that a packaged chart holds.
//
// The originals of these charts carry megabytes of generated
// CustomResourceDefinitions. Their weight matters to an installer (time to
// apply, size of the stored release, load on discovery), their wording does
// not. A recipe names the fields of a kind in a few lines; wherever a field
// is one of Kubernetes' own types (an affinity, a container, a volume) the
// full schema with its documentation is derived from the Go type, which is
// how the originals come by their size, too.
//
// A field is written as
//
//	name: type - description
//
// where the type is one of string, bool, int, int32, int64, number, any,
// quantity, duration, time, intOrString, enum(a|b), a Kubernetes type such
// as core.Affinity or meta.LabelSelector, or $name for a type of the
// recipe's own types section; []T and map[string]T nest. A field whose value
// is a mapping is an object. A name may end in ! (required), [] (a list of
// what follows) or {} (a map of what follows).
package recipe
