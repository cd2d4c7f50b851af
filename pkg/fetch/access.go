// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"
)

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

// HasCredentials tells whether there is a password or a token, which are sent,
// other than what is for TLS only.
func (a *Access) HasCredentials() bool {
	return a != nil && (a.Username != "" || a.Password != "" || a.Token != "")
}

// identifies tells whether a server can know by it who asks.
func (a *Access) identifies() bool {
	return a.HasCredentials() || (a != nil && len(a.Certificate) > 0)
}

// authorize adds what is sent in a header.
func (a *Access) authorize(header http.Header) {
	switch {
	case a.Token != "":
		header.Set("Authorization", "Bearer "+a.Token)
	case a.HasCredentials():
		request := http.Request{Header: header}
		request.SetBasicAuth(a.Username, a.Password)
	}
}

// digest stands for parts of an Access. It is keyed by a secret of the process,
// because it becomes the name of files: without, a weak password could be
// guessed from it.
func digest(key []byte, parts ...[]byte) string {
	hash := hmac.New(sha256.New, key)
	for _, part := range parts {
		// The length goes first, so that no two lists of parts are alike.
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part)))
		hash.Write(part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Denied says what can be done about an answer of 401 or 403. presented tells
// whether the server that gave it was shown what access holds.
func Denied(access *Access, presented bool) string {
	switch {
	case presented:
		return "it does not accept the credentials that are in the Secret of secretRef"
	case access.identifies():
		return "it was not sent the credentials in the Secret of secretRef, which go to the host that the Integration names only, " +
			"and it is another one that a redirect, an index or the operator's table of rewrites leads to"
	default:
		return "it asks for credentials, and KSIT has none for it: name a Secret with them in secretRef"
	}
}
