// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// servingSecret is where KSIT serves from when it makes its certificate itself. The
// manifests have it, and that of the authority, empty.
const servingSecret = "ksit-serving"

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
