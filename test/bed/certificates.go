// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Names of the Secrets in which KSIT keeps its own certificates, as its manifests
// give it rights to them.
const (
	authoritySecret = "ksit-ca"
	servingSecret   = "ksit-serving"
)

// emptySecrets are what KSIT, which may create none, fills in. Where they are
// filled already, they stay so.
func (k *KSIT) emptySecrets() []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, name := range []string{authoritySecret, servingSecret} {
		objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1",
			"kind":       "Secret",
			"metadata":   map[string]any{"name": name, "namespace": k.Namespace},
		}})
	}
	return objects
}

// authorities are those by which KSIT is verified, as PEM.
func (k *KSIT) authorities(ctx context.Context) ([]byte, error) {
	if k.Cert != nil {
		return k.Cert.CAPEM, nil
	}
	client, err := k.host.Client()
	if err != nil {
		return nil, err
	}
	secret, err := client.CoreV1().Secrets(k.Namespace).Get(ctx, servingSecret, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading by whom KSIT is verified: %w", err)
	}
	return secret.Data["ca.crt"], nil
}
