// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

// maxCredentials and maxTrust bound a Secret of credentials, and one of CA
// certificates or public keys, in bytes: what they hold is parsed on every
// download.
const (
	maxCredentials = 64 << 10
	maxTrust       = 256 << 10
)

// access reads the credentials and the CA of a repository, nil where neither is
// named.
func (r *reading) access(credentials, ca *v1alpha1.LocalReference) (*fetch.Access, error) {
	if credentials == nil && ca == nil {
		return nil, nil
	}
	var credentialsData, caData map[string][]byte
	var named []string
	if credentials != nil {
		secret, err := r.needSecret("secretRef", credentials.Name, maxCredentials)
		if err != nil {
			return nil, err
		}
		credentialsData, named = dataOf(secret), append(named, credentials.Name)
	}
	if ca != nil {
		secret, err := r.needSecret("caSecretRef", ca.Name, maxTrust)
		if err != nil {
			return nil, err
		}
		caData, named = dataOf(secret), append(named, ca.Name)
	}
	access, err := fetch.AccessFromSecrets(credentialsData, caData)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonSourceUnavailable,
			"access to the repository by Secret %s in namespace %s: %w", strings.Join(named, " and "), r.namespace, err)
	}
	return access, nil
}

// dataOf returns what a Secret holds, never nil, which is for one that is not
// named.
func dataOf(secret *corev1.Secret) map[string][]byte {
	if secret.Data == nil {
		return map[string][]byte{}
	}
	return secret.Data
}

// keys reads the public keys by which a chart is verified: those keys of the
// Secret that the provider looks at.
func (r *reading) keys(verify *v1alpha1.ChartVerification) (map[string][]byte, error) {
	if verify == nil {
		return nil, nil
	}
	suffix := ".gpg"
	if verify.Provider == v1alpha1.VerificationCosign {
		suffix = ".pub"
	}
	secret, err := r.needSecret("verify.secretRef", verify.SecretRef.Name, maxTrust)
	if err != nil {
		return nil, err
	}
	keys := map[string][]byte{}
	for key, content := range secret.Data {
		if strings.HasSuffix(key, suffix) {
			keys[key] = content
		}
	}
	if len(keys) == 0 {
		return nil, installer.Terminalf(installer.ReasonSourceUnavailable,
			"Secret %s/%s, which verify.secretRef names, has no key that ends with %s: put the public keys for %s there",
			r.namespace, verify.SecretRef.Name, suffix, verify.Provider)
	}
	return keys, nil
}

// needSecret returns a Secret that must be there and at most so large.
func (r *reading) needSecret(field, name string, limit int) (*corev1.Secret, error) {
	secret, err := r.secret(name)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, installer.Terminalf(installer.ReasonSourceUnavailable,
			"there is no Secret %s/%s, which %s names: create it", r.namespace, name, field)
	}
	size := 0
	for _, content := range secret.Data {
		size += len(content)
	}
	if size > limit {
		return nil, installer.Terminalf(installer.ReasonTooLarge,
			"Secret %s/%s, which %s names, holds more than %d KiB: name one that holds nothing else", r.namespace, name, field, limit>>10)
	}
	return secret, nil
}
