// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

// Access is what a server asks of who fetches from it. It is sent to the host of
// the URL that was asked for, and never along a redirect to another. Its fields
// must not get into logs or errors.
type Access struct {
	// Username and Password are for basic authentication.
	Username, Password string
	// Token is a bearer token.
	Token string
	// Certificate and Key are those of a TLS client, in PEM.
	Certificate, Key []byte
	// CA are the certificates, in PEM, by which the server is verified in the
	// place of those of the system.
	CA []byte
}
