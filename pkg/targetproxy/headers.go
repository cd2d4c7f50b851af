// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"net"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/audit"

	"ksit.io/ksit/pkg/cluster"
)

const (
	auditID      = "Audit-Id"
	forwardedFor = "X-Forwarded-For"
)

// outbound makes the headers of a request those that the target gets, before
// whom it is impersonated as is added. in is the request as it came.
func outbound(header http.Header, in *http.Request) {
	cluster.DropIdentity(header)
	for name := range header {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		switch folded {
		case "forwarded", "via", "te", "x-real-ip", "x-client-ip", "x-original-url", "x-rewrite-url", "x-http-method-override", "audit-id":
			delete(header, name)
		default:
			if strings.HasPrefix(folded, "x-forwarded-") || strings.HasPrefix(folded, "x-original-") {
				delete(header, name)
			}
		}
	}
	// What is known, not what was claimed: who is at the other end.
	if host, _, err := net.SplitHostPort(in.RemoteAddr); err == nil {
		header.Set(forwardedFor, host)
	}
	// One id in the audit logs of the host, of KSIT and of the target.
	if id := audit.GetAuditIDTruncated(in.Context()); id != "" {
		header.Set(auditID, id)
	}
}

// inbound makes the headers of an answer those that the caller gets. The target,
// and whatever it answers for, speaks in the host's name here: it may neither
// set cookies nor ask for credentials, say who else may read the answer, or send
// what a browser would run.
func inbound(header http.Header) {
	for name := range header {
		if strings.HasPrefix(strings.ToLower(name), "access-control-") {
			delete(header, name)
		}
	}
	for _, name := range []string{
		"Set-Cookie", "Set-Cookie2", "Www-Authenticate", "Proxy-Authenticate",
		"Location", "Content-Location", "Refresh", "Link", "Alt-Svc", "Clear-Site-Data", "Service-Worker-Allowed",
		"Strict-Transport-Security", "Public-Key-Pins", "Trailer",
		// KSIT sets them itself.
		"Cache-Control", auditID,
	} {
		header.Del(name)
	}
	header.Set("X-Content-Type-Options", "nosniff")
	// Of several policies a browser keeps all.
	header.Add("Content-Security-Policy", "sandbox")
}
