// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	internalPackage  = "ksit.io/ksit/pkg/apis/ksit"
	versionedPackage = "ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// twins are the kinds, each with its internal form.
func twins() map[string][2]reflect.Type {
	return map[string][2]reflect.Type{
		"Installation":                  {reflect.TypeFor[ksit.Installation](), reflect.TypeFor[v1alpha1.Installation]()},
		"InstallationList":              {reflect.TypeFor[ksit.InstallationList](), reflect.TypeFor[v1alpha1.InstallationList]()},
		"Integration":                   {reflect.TypeFor[ksit.Integration](), reflect.TypeFor[v1alpha1.Integration]()},
		"IntegrationList":               {reflect.TypeFor[ksit.IntegrationList](), reflect.TypeFor[v1alpha1.IntegrationList]()},
		"IntegrationTarget":             {reflect.TypeFor[ksit.IntegrationTarget](), reflect.TypeFor[v1alpha1.IntegrationTarget]()},
		"IntegrationTargetList":         {reflect.TypeFor[ksit.IntegrationTargetList](), reflect.TypeFor[v1alpha1.IntegrationTargetList]()},
		"ReconcileRequest":              {reflect.TypeFor[ksit.ReconcileRequest](), reflect.TypeFor[v1alpha1.ReconcileRequest]()},
		"RollbackRequest":               {reflect.TypeFor[ksit.RollbackRequest](), reflect.TypeFor[v1alpha1.RollbackRequest]()},
		"InstallationHealth":            {reflect.TypeFor[ksit.InstallationHealth](), reflect.TypeFor[v1alpha1.InstallationHealth]()},
		"InstallationHistory":           {reflect.TypeFor[ksit.InstallationHistory](), reflect.TypeFor[v1alpha1.InstallationHistory]()},
		"InstallationManifest":          {reflect.TypeFor[ksit.InstallationManifest](), reflect.TypeFor[v1alpha1.InstallationManifest]()},
		"InstallationManifestOptions":   {reflect.TypeFor[ksit.InstallationManifestOptions](), reflect.TypeFor[v1alpha1.InstallationManifestOptions]()},
		"InstallationDiff":              {reflect.TypeFor[ksit.InstallationDiff](), reflect.TypeFor[v1alpha1.InstallationDiff]()},
		"InstallationLog":               {reflect.TypeFor[ksit.InstallationLog](), reflect.TypeFor[v1alpha1.InstallationLog]()},
		"InstallationLogOptions":        {reflect.TypeFor[ksit.InstallationLogOptions](), reflect.TypeFor[v1alpha1.InstallationLogOptions]()},
		"IntegrationTargetHealth":       {reflect.TypeFor[ksit.IntegrationTargetHealth](), reflect.TypeFor[v1alpha1.IntegrationTargetHealth]()},
		"IntegrationTargetProxyOptions": {reflect.TypeFor[ksit.IntegrationTargetProxyOptions](), reflect.TypeFor[v1alpha1.IntegrationTargetProxyOptions]()},
	}
}

// structsOf returns the structs of a package that root is made of.
func structsOf(root reflect.Type, pkg string) map[string]reflect.Type {
	found := map[string]reflect.Type{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if typ.PkgPath() != pkg || found[typ.Name()] != nil {
				return
			}
			found[typ.Name()] = typ
			for i := range typ.NumField() {
				walk(typ.Field(i).Type)
			}
		}
	}
	walk(root)
	return found
}

// shape lists the fields of a struct: what conversion copies.
func shape(typ reflect.Type) []string {
	var fields []string
	for i := range typ.NumField() {
		field := typ.Field(i)
		name := strings.NewReplacer("v1alpha1.", "", "ksit.", "").Replace(field.Type.String())
		fields = append(fields, field.Name+" "+name)
	}
	return fields
}

// Conversion between types of the same shape costs nothing, and loses nothing.
func TestInternalAndVersionedTypesHaveTheSameFields(t *testing.T) {
	for kind, twin := range twins() {
		t.Run(kind, func(t *testing.T) {
			internal := structsOf(twin[0], internalPackage)
			versioned := structsOf(twin[1], versionedPackage)
			for name, typ := range versioned {
				twin, ok := internal[name]
				if !ok {
					t.Errorf("%s has no internal type", name)
					continue
				}
				if diff := cmp.Diff(shape(typ), shape(twin)); diff != "" {
					t.Errorf("fields of %s, versioned (-) and internal (+):\n%s", name, diff)
				}
			}
			for name := range internal {
				if versioned[name] == nil {
					t.Errorf("%s is only internal", name)
				}
			}
		})
	}
}

// An internal type with tags could be encoded, and then be stored or sent.
func TestInternalTypesCarryNoTags(t *testing.T) {
	for _, twin := range twins() {
		for name, typ := range structsOf(twin[0], internalPackage) {
			for i := range typ.NumField() {
				if tag := typ.Field(i).Tag; tag != "" {
					t.Errorf("%s.%s carries the tag %s", name, typ.Field(i).Name, tag)
				}
			}
		}
	}
}

// A field is read under one name in JSON, in protobuf and in field paths.
func TestVersionedFieldsAreNamedAlikeInEveryEncoding(t *testing.T) {
	for _, twin := range twins() {
		for name, typ := range structsOf(twin[1], versionedPackage) {
			for i := range typ.NumField() {
				field := typ.Field(i)
				json, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				if options == "inline" {
					continue
				}
				if _, proto, ok := strings.Cut(field.Tag.Get("protobuf"), "name="); ok {
					proto, _, _ = strings.Cut(proto, ",")
					if proto == json && strings.EqualFold(json, field.Name) || field.Anonymous {
						continue
					}
				}
				t.Errorf("%s.%s: tags %s", name, field.Name, field.Tag)
			}
		}
	}
}
