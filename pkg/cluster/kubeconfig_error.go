// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
)

// Reason says in a word why a kubeconfig was refused. It is fit to be the
// reason of a condition.
type Reason string

const (
	// ReasonTooLarge: the kubeconfig is larger than MaxKubeconfigSize.
	ReasonTooLarge Reason = "KubeconfigTooLarge"
	// ReasonInvalid: it is no kubeconfig, or names things it does not hold.
	ReasonInvalid Reason = "KubeconfigInvalid"
	// ReasonServerRefused: the server is not an https URL, or the URL has parts
	// that the URL of an API server does not have.
	ReasonServerRefused Reason = "ServerRefused"
	// ReasonInsecureRefused: it asks not to verify the server's certificate.
	ReasonInsecureRefused Reason = "InsecureRefused"
	// ReasonProxyRefused: it names a proxy.
	ReasonProxyRefused Reason = "ProxyRefused"
	// ReasonExecRefused: the credentials come from a program.
	ReasonExecRefused Reason = "ExecRefused"
	// ReasonAuthProviderRefused: the credentials come from an auth provider.
	ReasonAuthProviderRefused Reason = "AuthProviderRefused"
	// ReasonFileRefused: it refers to a file.
	ReasonFileRefused Reason = "FileReferenceRefused"
	// ReasonImpersonationRefused: it asks to act as somebody else.
	ReasonImpersonationRefused Reason = "ImpersonationRefused"
	// ReasonNoCredentials: it holds no credentials.
	ReasonNoCredentials Reason = "NoCredentials"
	// ReasonCredentialsInvalid: its certificates, key or token are malformed.
	ReasonCredentialsInvalid Reason = "CredentialsMalformed"
)

// KubeconfigError is why a kubeconfig was refused. Neither it nor what it wraps
// holds any of the kubeconfig's content: what parsers say is left out, since
// they quote what they stumble over.
type KubeconfigError struct {
	Reason  Reason
	Message string
}

// Error says what is wrong and what would be right.
func (e *KubeconfigError) Error() string { return e.Message }

// ReasonOf returns why a kubeconfig was refused, or an empty Reason for any
// other error.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*KubeconfigError](err); ok {
		return e.Reason
	}
	return ""
}

func refuse(reason Reason, format string, args ...any) error {
	return &KubeconfigError{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
