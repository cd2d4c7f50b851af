// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// kept is a field that differs and may: where it is, and its value, which is
// absent where the live object does not have it.
type kept struct {
	path   fieldpath.Path
	value  any
	absent bool
}

// differ walks over what was applied, and compares what the target should have
// with what it has.
type differ struct {
	// ignored tells what may differ, by JSON pointer.
	ignored func(pointer string) bool
	// loose is for values that the target did not put into its own form: what is
	// empty or missing is the same, and so are quantities of the same size.
	loose bool

	// fields are JSON pointers to what differs; their indexes are those of
	// what the target should have.
	fields []string
	kept   []kept
}

// walk returns have with what differs set to what it is in want. It changes
// have.
func (d *differ) walk(owned *fieldpath.Set, want, have any, pointer string, path fieldpath.Path) any {
	owned.Members.Iterate(func(pe fieldpath.PathElement) {
		if _, inner := owned.Children.Get(pe); !inner {
			have = d.step(nil, want, have, pe, pointer, path)
		}
	})
	owned.Children.Iterate(func(pe fieldpath.PathElement) {
		inner, _ := owned.Children.Get(pe)
		have = d.step(inner, want, have, pe, pointer, path)
	})
	return have
}

// step compares what a path element selects; inner is nil where it is compared
// as a whole.
func (d *differ) step(inner *fieldpath.Set, want, have any, pe fieldpath.PathElement, pointer string, path fieldpath.Path) any {
	wanted, index, found := find(want, pe)
	if !found {
		return have // The target does not keep it.
	}
	if index >= 0 {
		pointer = below(pointer, strconv.Itoa(index))
	} else {
		pointer = below(pointer, *pe.FieldName)
	}
	path = append(slices.Clip(path), pe)
	had, at, found := find(have, pe)
	switch {
	case !found && inner != nil && pe.FieldName != nil && isContainer(wanted):
		// What is missing in it is told field by field.
		before := len(d.fields)
		if had = d.walk(inner, wanted, emptyLike(wanted), pointer, path); len(d.fields) == before {
			return have
		}
	case !found && d.loose && isEmpty(wanted):
		return have
	case !found && d.ignored(pointer):
		d.kept = append(d.kept, kept{path: path, absent: true})
		return have
	case !found:
		d.fields = append(d.fields, pointer)
		had = wanted
	case inner != nil && sameForm(wanted, had):
		had = d.walk(inner, wanted, had, pointer, path)
	default:
		if had = d.blend(wanted, had, pointer); !reflect.DeepEqual(wanted, had) {
			d.kept = append(d.kept, kept{path: path, value: had})
		}
	}
	return put(have, pe, at, had)
}

// blend compares two values as a whole, and returns what the second should be.
func (d *differ) blend(want, have any, pointer string) any {
	switch {
	case reflect.DeepEqual(want, have), d.loose && sameLoosely(want, have):
		return have
	case sameForm(want, have) && isMap(want):
		return d.blendMaps(want.(map[string]any), have.(map[string]any), pointer)
	case sameForm(want, have) && len(want.([]any)) == len(have.([]any)):
		wanted, had := want.([]any), slices.Clone(have.([]any))
		for i := range wanted {
			had[i] = d.blend(wanted[i], had[i], below(pointer, strconv.Itoa(i)))
		}
		return had
	case d.ignored(pointer):
		return have
	default:
		d.fields = append(d.fields, pointer)
		return want
	}
}

func (d *differ) blendMaps(want, have map[string]any, pointer string) map[string]any {
	out := maps.Clone(have)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		at := below(pointer, key)
		switch had, found := have[key]; {
		case found:
			out[key] = d.blend(want[key], had, at)
		case d.ignored(at), d.loose && isEmpty(want[key]):
		default:
			d.fields = append(d.fields, at)
			out[key] = want[key]
		}
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		at := below(pointer, key)
		if _, wanted := want[key]; wanted || d.loose || d.ignored(at) {
			continue
		}
		d.fields = append(d.fields, at)
		delete(out, key)
	}
	return out
}

// put puts a child into a container.
func put(container any, pe fieldpath.PathElement, index int, child any) any {
	switch c := container.(type) {
	case map[string]any:
		c[*pe.FieldName] = child
		return c
	case []any:
		if index < 0 {
			return append(c, child)
		}
		c[index] = child
		return c
	default:
		return container
	}
}
