// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Explain says in a few words what an error of any client of this connection
// means. The status is True where the API server is reachable and refused the
// request; the message is then the server's. Else the words hold nothing that
// changes from one time to the next, so that they can go into a status.
func (c *Connection) Explain(err error) Finding {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		s := status.Status()
		if s.Code >= 400 && s.Code < 500 && s.Code != http.StatusTooManyRequests {
			return Finding{metav1.ConditionTrue, short(s.Reason), s.Message}
		}
	}
	return unreachable(err, c.info.Endpoint)
}

// unreachable says in a few words why a request got no answer. The words are
// those of this function: the errors of transports hold URLs and ports that
// change from one time to the next, and would be taken for news each time.
func unreachable(err error, endpoint string) Finding {
	host := endpoint
	if u, parseErr := url.Parse(endpoint); parseErr == nil {
		host = u.Host
	}
	no := func(reason, format string, args ...any) Finding {
		return Finding{metav1.ConditionFalse, reason, fmt.Sprintf(format, args...)}
	}

	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		s := status.Status()
		return no("ServerError", "the API server at %s answers with an error: %d %s", host, s.Code, short(s.Reason))
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok && !lookup.IsTimeout {
		return no("NameNotFound", "the name of the API server, %s, cannot be resolved", host)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return no("CertificateInvalid", "the certificate of the API server is not for %s: set tls-server-name in the kubeconfig", host)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return no("CertificateInvalid", "the certificate of the API server at %s is not signed by the kubeconfig's certificate authority", host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return no("CertificateInvalid", "the certificate of the API server at %s has expired or is not valid yet", host)
	}
	_, alert := errors.AsType[tls.AlertError](err)
	_, header := errors.AsType[tls.RecordHeaderError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case verification:
		return no("CertificateInvalid", "the certificate of the API server at %s cannot be verified", host)
	case alert || header || errors.Is(err, http.ErrSchemeMismatch):
		return no("TLSFailed", "no TLS connection to %s", host)
	case errors.Is(err, errRedirect):
		return no("Redirected", "the API server at %s answers with a redirect, which is not followed: name the address that it leads to in the kubeconfig", host)
	case errors.Is(err, errTooMuchSaid):
		return no("TooLarge", "the API server at %s answers with more than is read", host)
	case errors.Is(err, errNotKubernetes):
		return no("NotKubernetes", "what answers at %s is not a Kubernetes API server", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return no("ConnectionRefused", "%s refuses connections", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return no("NoRoute", "there is no route to %s", host)
	case strings.Contains(err.Error(), "client rate limiter"):
		// client-go has no type for this.
		return Finding{metav1.ConditionUnknown, "Busy", fmt.Sprintf("KSIT's own requests to %s left the probe no room", host)}
	case errors.Is(err, context.DeadlineExceeded), timedOut(err):
		return no("Timeout", "no answer from %s in time", host)
	case errors.Is(err, context.Canceled):
		return Finding{metav1.ConditionUnknown, "Interrupted", "the probe was interrupted"}
	default:
		return no("ConnectionFailed", "the connection to %s failed", host)
	}
}

// short is a reason of a target, unless it is longer than any.
func short(reason metav1.StatusReason) string {
	if len(reason) > 64 {
		return "of its own"
	}
	return string(reason)
}

func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
