// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package preview says what an apply would change on a target, object by object.
//
// How an apply writes an object is for the installers to say: each object of a
// Plan comes with a function that does that as a dry run. The target itself then
// tells what would become of the object, its defaults, its webhooks and its
// refusals included, and that is compared with the object as it is. Nothing is
// written.
//
// What is in Secrets, and what came from Secrets into other objects, is replaced
// before anything is compared line by line, so that a diff shows that a secret
// value changes, and nothing of it.
package preview

import (
	"context"
	"slices"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Object is an object that would be applied.
type Object struct {
	// Content is what is applied, in its namespace.
	Content *unstructured.Unstructured
	// DryRun has the target make of the object what an apply would, and returns
	// that. live is the object as it is, nil where it is not there. The error of
	// an object that the target refuses holds no value of it.
	DryRun func(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error)
	// Hide takes what came from Secrets out of a text; nil where nothing did.
	Hide func(string) string
	// Settled is true where an apply would find that all is as it was applied,
	// and write nothing: what differs then is drift.
	Settled bool
	// Left is true for what an apply leaves as it is once it is there.
	Left bool
}

// Removal is an object that would be removed, if it is there.
type Removal struct {
	ID object.ObjMetadata
	// Stays tells why a live object is left where it is; empty where it goes.
	Stays func(live *unstructured.Unstructured) string
	Hide  func(string) string
}

// Plan is what an apply would do.
type Plan struct {
	// Releases are what would be installed.
	Releases []v1alpha1.ReleaseStatus
	// Objects are in the order in which they are applied.
	Objects []Object
	Removed []Removal
	// Namespaces are made where they are missing.
	Namespaces []string
	Notes      []string
}

// Note adds what a reader has to know.
func (p *Plan) Note(text string) { p.Notes = append(p.Notes, text) }

// Remove adds objects that are removed, except those that are applied again and
// those that are never removed.
func (p *Plan) Remove(ids object.ObjMetadataSet) {
	for _, id := range ids {
		if id.GroupKind == crdKind || id.GroupKind == namespaceKind || p.applies(id) {
			continue
		}
		p.Removed = append(p.Removed, Removal{ID: id})
	}
}

func (p *Plan) applies(id object.ObjMetadata) bool {
	return slices.ContainsFunc(p.Objects, func(o Object) bool { return object.UnstructuredToObjMetadata(o.Content) == id })
}

var (
	crdKind       = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	namespaceKind = schema.GroupKind{Kind: "Namespace"}
	secretKind    = schema.GroupKind{Kind: "Secret"}
)
