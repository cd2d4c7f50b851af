// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var integrations = schema.GroupResource{Group: "ksit.io", Resource: "integrations"}

func forbidden(message string) error {
	return apierrors.NewForbidden(integrations, "", errors.New(message))
}

func TestAdvice(t *testing.T) {
	tests := map[string]struct {
		err   error
		lasts bool
		want  string
	}{
		"rights":      {err: forbidden("no right"), lasts: true, want: "rights of who asks"},
		"caches":      {err: forbidden("not yet ready to handle request"), want: "compare them with rbac.yaml"},
		"unknown":     {err: apierrors.NewUnauthorized("who?"), lasts: true, want: "rights of who asks"},
		"invalid":     {err: apierrors.NewBadRequest("bad"), lasts: true, want: "docs/troubleshooting.md"},
		"unavailable": {err: apierrors.NewServiceUnavailable("down"), want: "kubectl get pods -n team-a"},
		"no pods":     {err: &unavailable{"MissingEndpoints", "endpoints have no addresses"}, want: "No pod of KSIT is ready"},
		"certificate": {err: &unavailable{"FailedDiscoveryCheck", "x509: certificate signed by unknown authority"}, want: "caBundle"},
		"firewall":    {err: &unavailable{"FailedDiscoveryCheck", "context deadline exceeded"}, want: "firewalls"},
		"other":       {err: &unavailable{"FailedDiscoveryCheck", "bad status"}, want: "kubectl logs -n team-a"},
	}
	a := &asker{namespace: "team-a"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := a.advice(test.err); !strings.Contains(got, test.want) {
				t.Errorf("the advice is %q, want %q", got, test.want)
			}
			if got := lasts(test.err); got != test.lasts {
				t.Errorf("lasts is %t", got)
			}
		})
	}
}

// TestPatience makes sure that what passes is waited for, and that the last word is
// what was wrong, not that time is up.
func TestPatience(t *testing.T) {
	tries := 0
	found, err := patiently(t.Context(), func(context.Context) (string, error) {
		if tries++; tries < 2 {
			return "", errors.New("starting")
		}
		return "well", nil
	})
	if found != "well" || err != nil || tries != 2 {
		t.Errorf("%q, %v after %d tries", found, err, tries)
	}

	ctx, cancel := context.WithCancel(t.Context())
	tries = 0
	_, err = patiently(ctx, func(ctx context.Context) (string, error) {
		if tries++; tries == 2 {
			cancel()
			return "", ctx.Err()
		}
		return "", errors.New("down")
	})
	if err == nil || err.Error() != "down" {
		t.Errorf("%v after %d tries", err, tries)
	}
}
