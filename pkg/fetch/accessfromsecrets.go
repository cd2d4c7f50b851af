// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

// AccessFromSecrets returns what the data of a Secret of credentials and of one
// of CA certificates say.
func AccessFromSecrets(secret, ca map[string][]byte) (*Access, error) {
	return &Access{
		Username: string(secret["username"]), Password: string(secret["password"]),
		Token:       string(secret["token"]),
		Certificate: secret["tls.crt"], Key: secret["tls.key"],
		CA: ca["ca.crt"],
	}, nil
}
