// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fuzzer fills the ksit.io types with random content that survives a
// round trip: what a decoder would default is never left empty, and free-form
// JSON is in the form in which an encoder would write it.
package fuzzer

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// maxDepth is how deep random chart values nest.
const maxDepth = 3

// Funcs returns the fuzzer functions of the internal and of the versioned
// types. It has the form that apimachinery's fuzzer.MergeFuzzerFuncs takes.
func Funcs(serializer.CodecFactory) []any {
	return append(internalFuncs(), versionedFuncs()...)
}

// internalFuncs repeat the defaults by hand: that a default was added without
// anybody thinking of the internal types is what a round trip shall notice.
func internalFuncs() []any {
	return []any{
		func(obj *ksit.IntegrationTarget, c randfill.Continue) {
			c.FillNoCustom(obj)
			setIfZero(&obj.Spec.ClusterName, obj.Name)
		},
		func(obj *ksit.TargetProbe, c randfill.Continue) {
			c.FillNoCustom(obj)
			setIfNil(&obj.IntervalSeconds, v1alpha1.DefaultProbeIntervalSeconds)
			setIfNil(&obj.TimeoutSeconds, min(v1alpha1.DefaultProbeTimeoutSeconds, *obj.IntervalSeconds))
			setIfNil(&obj.FailureThreshold, v1alpha1.DefaultProbeFailureThreshold)
		},
		func(obj *ksit.IntegrationSpec, c randfill.Continue) {
			c.FillNoCustom(obj)
			setIfNil(&obj.Enabled, true)
		},
		func(obj *ksit.AutoInstall, c randfill.Continue) {
			c.FillNoCustom(obj)
			setIfZero(&obj.Method, ksit.InstallMethodHelm)
			setIfNil(&obj.TimeoutSeconds, v1alpha1.DefaultInstallTimeoutSeconds)
			setIfZero(&obj.CRDPolicy, ksit.CRDPolicyCreateReplace)
			setIfZero(&obj.DeletionPolicy, ksit.DeletionPolicyDelete)
			setIfZero(&obj.AdoptionPolicy, ksit.AdoptionPolicyAdopt)
			if obj.Remediation == nil {
				obj.Remediation = &ksit.Remediation{}
			}
			setIfNil(&obj.Remediation.Retries, v1alpha1.DefaultRetries)
			setIfZero(&obj.Remediation.Strategy, ksit.RemediationRollback)
			if obj.Drift == nil {
				obj.Drift = &ksit.Drift{}
			}
			setIfZero(&obj.Drift.Mode, ksit.DriftWarn)
		},
		func(obj *ksit.Rollout, c randfill.Continue) {
			c.FillNoCustom(obj)
			setIfNil(&obj.StopAfterFailures, intstr.FromInt32(1))
		},
		func(obj *ksit.ValuesSource, c randfill.Continue) {
			c.FillNoCustom(obj)
			setIfZero(&obj.Key, v1alpha1.DefaultValuesKey)
		},
		func(obj *ksit.HelmConfig, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.ValuesObject = randomValues(c)
		},
	}
}

func versionedFuncs() []any {
	return []any{
		func(obj *v1alpha1.IntegrationTarget, c randfill.Continue) {
			c.FillNoCustom(obj)
			v1alpha1.SetDefaults_IntegrationTarget(obj)
		},
		func(obj *v1alpha1.TargetProbe, c randfill.Continue) {
			c.FillNoCustom(obj)
			v1alpha1.SetDefaults_TargetProbe(obj)
		},
		func(obj *v1alpha1.IntegrationSpec, c randfill.Continue) {
			c.FillNoCustom(obj)
			v1alpha1.SetDefaults_IntegrationSpec(obj)
		},
		func(obj *v1alpha1.AutoInstall, c randfill.Continue) {
			c.FillNoCustom(obj)
			v1alpha1.SetDefaults_AutoInstall(obj)
			v1alpha1.SetDefaults_Remediation(obj.Remediation)
			v1alpha1.SetDefaults_Drift(obj.Drift)
		},
		func(obj *v1alpha1.Rollout, c randfill.Continue) {
			c.FillNoCustom(obj)
			v1alpha1.SetDefaults_Rollout(obj)
		},
		func(obj *v1alpha1.ValuesSource, c randfill.Continue) {
			c.FillNoCustom(obj)
			v1alpha1.SetDefaults_ValuesSource(obj)
		},
		func(obj *v1alpha1.HelmConfig, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.ValuesObject = randomValues(c)
		},
	}
}

func setIfZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func setIfNil[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

// randomValues returns chart values as a user may write them, or nil. The keys
// are sorted and no space is in between, as when an encoder wrote them.
func randomValues(c randfill.Continue) *runtime.RawExtension {
	if c.Bool() {
		return nil
	}
	raw, err := json.Marshal(randomObject(c, maxDepth))
	if err != nil {
		// Maps, slices and scalars of JSON always marshal.
		return nil
	}
	return &runtime.RawExtension{Raw: raw}
}

func randomObject(c randfill.Continue, depth int) map[string]any {
	object := map[string]any{}
	for range c.Intn(4) {
		object[c.String(0)] = randomJSON(c, depth)
	}
	return object
}

func randomJSON(c randfill.Continue, depth int) any {
	kinds := 7
	if depth == 0 {
		kinds = 5 // scalars only
	}
	switch c.Intn(kinds) {
	case 0:
		return nil
	case 1:
		return c.Bool()
	case 2:
		return c.String(0)
	case 3:
		return c.Int63() - c.Int63()
	case 4:
		return float64(c.Intn(1000)) + 0.5
	case 5:
		list := make([]any, c.Intn(4))
		for i := range list {
			list[i] = randomJSON(c, depth-1)
		}
		return list
	default:
		return randomObject(c, depth-1)
	}
}
