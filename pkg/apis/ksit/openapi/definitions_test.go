// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const (
	ownPrefix       = "io.ksit.v1alpha1."
	referencePrefix = "#/definitions/"
)

func definitions() map[string]common.OpenAPIDefinition {
	return GetOpenAPIDefinitions(func(name string) spec.Ref {
		return spec.MustCreateRef(referencePrefix + name)
	})
}

// ownDefinitions are those of the ksit.io types.
func ownDefinitions() map[string]common.OpenAPIDefinition {
	all := definitions()
	maps.DeleteFunc(all, func(name string, _ common.OpenAPIDefinition) bool {
		return !strings.HasPrefix(name, ownPrefix)
	})
	return all
}

// A model name is part of the published documents: it does not change with the
// place of a Go package.
func TestModelNames(t *testing.T) {
	for name := range definitions() {
		if !strings.HasPrefix(name, ownPrefix) && !strings.HasPrefix(name, "io.k8s.apimachinery.") {
			t.Errorf("model %s is named after its Go package", name)
		}
	}
	want := []string{"Installation", "InstallationList", "Integration", "IntegrationList", "IntegrationTarget", "IntegrationTargetList"}
	own := ownDefinitions()
	for _, kind := range want {
		if _, ok := own[ownPrefix+kind]; !ok {
			t.Errorf("%s is not published", kind)
		}
	}
}

// kubectl explain prints what stands here. Of a field without a comment it
// prints nothing.
func TestEverythingIsDescribed(t *testing.T) {
	for name, definition := range ownDefinitions() {
		describe(t, name, definition.Schema.Description)
		for property, schema := range definition.Schema.Properties {
			if property == "apiVersion" || property == "kind" {
				continue // apimachinery's words, which end with a link
			}
			describe(t, name+"."+property, schema.Description)
		}
	}
}

func describe(t *testing.T, what, description string) {
	t.Helper()
	// A list of the values of an enum follows the comment.
	text, _, _ := strings.Cut(description, "\n\nPossible enum values:")
	if !strings.HasSuffix(text, ".") {
		t.Errorf("%s: description %q is no sentence", what, text)
	}
}

// A field of which the comment names the values publishes them too.
func TestEnumsArePublished(t *testing.T) {
	own := ownDefinitions()
	for path, want := range map[string][]any{
		"IntegrationSpec.type":          {"argocd", "flux", "generic", "istio", "prometheus"},
		"InstallationSpec.type":         {"argocd", "flux", "generic", "istio", "prometheus"},
		"AutoInstall.method":            {"helm", "manifest"},
		"AutoInstall.crdPolicy":         {"Create", "CreateReplace", "Skip"},
		"AutoInstall.deletionPolicy":    {"Delete", "DeleteAdopted", "Orphan"},
		"AutoInstall.adoptionPolicy":    {"Adopt", "Refuse"},
		"Remediation.strategy":          {"Leave", "Rollback"},
		"Drift.mode":                    {"Correct", "Disabled", "Warn"},
		"ValuesSource.kind":             {"ConfigMap", "Secret"},
		"ChartVerification.provider":    {"cosign", "provenance"},
		"CheckResult.state":             {"Failed", "Passed", "Progressing", "Unknown"},
		"Operation.type":                {"Correct", "Install", "Reconcile", "Rollback", "Uninstall", "Upgrade"},
		"Operation.outcome":             {"Failed", "Pending", "Running", "Succeeded", "Superseded"},
		"OperationRequest.type":         {"Correct", "Install", "Reconcile", "Rollback", "Uninstall", "Upgrade"},
		"ObjectDiff.change":             {"Added", "Changed", "Refused", "Removed", "Unchanged"},
		"TargetSummary.phase":           allPhases(),
		"IntegrationStatus.phase":       allPhases(),
		"InstallationStatus.phase":      allPhases(),
		"UnhealthyResource.state":       {"Failed", "Passed", "Progressing", "Unknown"},
		"IntegrationTargetStatus.ready": nil,
	} {
		model, property, _ := strings.Cut(path, ".")
		got := own[ownPrefix+model].Schema.Properties[property].Enum
		if !slices.Equal(got, want) {
			t.Errorf("%s: enum %v, want %v", path, got, want)
		}
	}
}

func allPhases() []any {
	return []any{"Degraded", "Disabled", "Failed", "Installing", "Pending", "Running", "Uninstalling", "Unknown", "Upgrading"}
}

// A reference to a model that is not published breaks every reader of the
// whole document, kubectl and server-side apply among them.
func TestReferencesResolve(t *testing.T) {
	all := definitions()
	for name, definition := range all {
		references(definition.Schema, func(target string) {
			if _, ok := all[target]; !ok {
				t.Errorf("%s refers to %s, which is not published", name, target)
			}
		})
		for _, target := range definition.Dependencies {
			if _, ok := all[target]; !ok {
				t.Errorf("%s depends on %s, which is not published", name, target)
			}
		}
	}
}

// references calls found with the name of every model that a schema refers to.
func references(schema spec.Schema, found func(string)) {
	if ref := schema.Ref.String(); ref != "" {
		found(strings.TrimPrefix(ref, referencePrefix))
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		references(*schema.Items.Schema, found)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		references(*schema.AdditionalProperties.Schema, found)
	}
	for _, nested := range slices.Concat(schema.AllOf, schema.OneOf, schema.AnyOf) {
		references(nested, found)
	}
	for _, property := range schema.Properties {
		references(property, found)
	}
}

// Every list says how it is merged, as server-side apply would otherwise
// replace it whole without anybody having decided so.
func TestListsSayHowTheyMerge(t *testing.T) {
	for name, definition := range ownDefinitions() {
		for property, schema := range definition.Schema.Properties {
			if !slices.Contains(schema.Type, "array") || property == "items" {
				continue
			}
			if _, ok := schema.Extensions["x-kubernetes-list-type"]; !ok {
				t.Errorf("%s.%s has no list type", name, property)
			}
		}
	}
}

func TestValuesAreFreeForm(t *testing.T) {
	schema := ownDefinitions()[ownPrefix+"HelmConfig"].Schema.Properties["valuesObject"]
	if preserve, ok := schema.Extensions.GetBool("x-kubernetes-preserve-unknown-fields"); !ok || !preserve {
		t.Errorf("extensions %v of valuesObject do not keep unknown fields", schema.Extensions)
	}
	if ref := schema.Ref.String(); ref != "" || !slices.Equal(schema.Type, []string{"object"}) {
		t.Errorf("valuesObject has type %v and refers to %q, want a plain object", schema.Type, ref)
	}
}

// The list holds what apimachinery breaks; ksit.io breaks none of the rules.
func TestNoRuleOfAPIStyleIsBroken(t *testing.T) {
	list, err := os.ReadFile("../../../../hack/api-violations.list")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if strings.Contains(line, "ksit.io/") {
			t.Errorf("%s", strings.TrimSpace(line))
		}
	}
}
