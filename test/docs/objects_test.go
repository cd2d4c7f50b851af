// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/integration"
	"ksit.io/ksit/test/console"
)

var (
	separator   = regexp.MustCompile(`(?m)^---.*$`)
	placeholder = regexp.MustCompile(`<[A-Za-z][A-Za-z-]*>`)
)

// TestObjects decodes the objects of KSIT in all documents as strictly as the server
// does, and validates them.
func TestObjects(t *testing.T) {
	set, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(set.Scheme, serializer.EnableStrict).UniversalDecoder(ksit.SchemeGroupVersion)
	checked := 0
	for _, p := range pages(t) {
		for _, stream := range console.YAML(p.text) {
			for _, text := range separator.Split(stream, -1) {
				if !strings.Contains(text, "apiVersion: ksit.io/") {
					continue
				}
				checked++
				object, _, err := decoder.Decode([]byte(placeholder.ReplaceAllString(text, "name")), nil, nil)
				if err != nil {
					t.Errorf("%s: %v\n%s", p.path, err, text)
					continue
				}
				if errs := validate(t.Context(), object); len(errs) > 0 {
					t.Errorf("%s: %v\n%s", p.path, errs.ToAggregate(), text)
				}
			}
		}
	}
	if checked < 4 {
		t.Errorf("found %d objects: does this test still know how they are written?", checked)
	}
}

// validate does what is done when the object is created: what is left out of an
// Integration is filled in first.
func validate(ctx context.Context, object runtime.Object) field.ErrorList {
	switch o := object.(type) {
	case *ksit.Integration:
		integration.Strategy{}.PrepareForCreate(ctx, o)
		return validation.ValidateIntegration(o)
	case *ksit.IntegrationTarget:
		return validation.ValidateIntegrationTarget(o)
	}
	return nil
}
