// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pace says when a target, and what is installed on it, is probed.
package pace

import (
	"math/rand/v2"
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Interval is the time between two probes, before jitter.
func Interval(target *v1alpha1.IntegrationTarget) time.Duration {
	return Seconds(target.Spec.Probe.IntervalSeconds, v1alpha1.DefaultProbeIntervalSeconds)
}

// Timeout bounds one probe.
func Timeout(target *v1alpha1.IntegrationTarget) time.Duration {
	return Seconds(target.Spec.Probe.TimeoutSeconds, v1alpha1.DefaultProbeTimeoutSeconds)
}

// FailureThreshold is how many probes in a row must fail to count.
func FailureThreshold(target *v1alpha1.IntegrationTarget) int32 {
	if threshold := target.Spec.Probe.FailureThreshold; threshold != nil {
		return *threshold
	}
	return v1alpha1.DefaultProbeFailureThreshold
}

// Seconds is the duration that a field of the API gives, or the default of the
// field where it is not set: objects that were not decoded by the API server
// may lack it.
func Seconds(value *int32, otherwise int32) time.Duration {
	if value != nil {
		otherwise = *value
	}
	return time.Duration(otherwise) * time.Second
}

// Jitter shortens what happens again and again by up to a tenth, so that what
// began at once does not come at once for ever.
func Jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}
