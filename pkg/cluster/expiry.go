// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// expiry returns when the first of the credentials of config ends.
func expiry(config *rest.Config) time.Time {
	first := certificateExpiry(config.CertData)
	if t := tokenExpiry(config.BearerToken); !t.IsZero() && (first.IsZero() || t.Before(first)) {
		first = t
	}
	return first
}

// certificateExpiry returns the NotAfter of the first certificate, which is the
// client's own.
func certificateExpiry(data []byte) time.Time {
	for block, more := pem.Decode(data); block != nil; block, more = pem.Decode(more) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}
		}
		return certificate.NotAfter
	}
	return time.Time{}
}

// tokenExpiry returns the claim exp of a JSON web token, and zero for a token
// of any other form. The signature is the target's to verify.
func tokenExpiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires *float64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Expires == nil {
		return time.Time{}
	}
	// Beyond the year 9999 a time cannot be written as RFC 3339.
	const last = 253402300799
	if seconds := *claims.Expires; seconds > 0 && seconds <= last && !math.IsNaN(seconds) {
		return time.Unix(int64(seconds), 0).UTC()
	}
	return time.Time{}
}
