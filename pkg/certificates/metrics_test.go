// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
)

// TestMetrics checks that the metric follows what is served.
func TestMetrics(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	m := NewMetrics()
	if err := m.Register(registry.Register); err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	authority, err := newAuthority(time.Now(), o.AuthorityValidity)
	if err != nil {
		t.Fatal(err)
	}
	provider := NewProvider(nil, o.Serving)
	m.ObserveServing(provider)
	m.expires(authorityName, authority.cert.NotAfter)
	for _, validity := range []time.Duration{time.Hour, 2 * time.Hour} {
		o.Validity = validity
		served, err := newCertificate(authority, o, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := provider.take(&corev1.Secret{Data: map[string][]byte{certKey: served.certPEM, keyKey: served.keyPEM}}); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`
# HELP ksit_certificate_expiration_timestamp_seconds [ALPHA] When a certificate of KSIT expires, in seconds since 1970: serving is what this process serves with, authority what signs, where this process keeps it.
# TYPE ksit_certificate_expiration_timestamp_seconds gauge
ksit_certificate_expiration_timestamp_seconds{name="authority"} %d
ksit_certificate_expiration_timestamp_seconds{name="serving"} %d
`, authority.cert.NotAfter.Unix(), served.cert.NotAfter.Unix())
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "ksit_certificate_expiration_timestamp_seconds"); err != nil {
			t.Error(err)
		}
	}
	// Whoever has none needs not ask.
	var none *Metrics
	none.expires(servingName, time.Now())
	none.ObserveServing(provider)
}
