// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit_test

import (
	"math/rand"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/apitesting/roundtrip"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"

	ksitfuzzer "ksit.io/ksit/pkg/apis/ksit/fuzzer"
	"ksit.io/ksit/pkg/apis/ksit/install"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := install.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return scheme
}

func fuzzerFuncs(codecs serializer.CodecFactory) []any {
	return fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, ksitfuzzer.Funcs)(codecs)
}

// TestRoundTrip takes random internal objects to every version and back, and
// random versioned objects to themselves, both in JSON and in protobuf.
func TestRoundTrip(t *testing.T) {
	const rounds = 4 // each of them tries every kind some twenty times
	scheme := newScheme(t)
	codecs := serializer.NewCodecFactory(scheme)
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	filler := fuzzer.FuzzerFor(fuzzerFuncs, rand.NewSource(seed), codecs)
	for range rounds {
		roundtrip.RoundTripTypes(t, scheme, codecs, filler, nil)
		roundtrip.RoundTripExternalTypes(t, scheme, codecs, filler, nil)
	}
}

// TestRoundTripUnstructured is what dynamic clients and server-side apply
// depend on: the typed and the untyped form hold the same.
func TestRoundTripUnstructured(t *testing.T) {
	scheme := newScheme(t)
	skipped := sets.New[schema.GroupVersionKind]()
	for gvk := range scheme.AllKnownTypes() {
		if roundtrip.GlobalNonRoundTrippableTypes().Has(gvk.Kind) || strings.HasSuffix(gvk.Kind, "Options") {
			skipped.Insert(gvk)
		}
	}
	roundtrip.RoundtripToUnstructured(t, scheme, fuzzerFuncs, skipped, nil)
}

// TestCompatibility decodes and encodes the fixtures in testdata: what an
// earlier KSIT stored or a client sent keeps its meaning. When a field is
// added, write the fixtures of HEAD anew with
//
//	UPDATE_COMPATIBILITY_FIXTURE_DATA=true go test ./pkg/apis/ksit
//
// and see that nothing but the field is new. A release copies HEAD to a
// directory of its version, which is never written again.
func TestCompatibility(t *testing.T) {
	options := roundtrip.NewCompatibilityTestOptions(newScheme(t))
	for _, kind := range []string{
		"Installation", "Integration", "IntegrationTarget", "ReconcileRequest", "RollbackRequest",
		"InstallationDiff", "InstallationHealth", "InstallationHistory", "InstallationLog", "InstallationManifest", "IntegrationTargetHealth",
	} {
		options.Kinds = append(options.Kinds, v1alpha1.SchemeGroupVersion.WithKind(kind))
	}
	options.Complete(t).Run(t)
}
