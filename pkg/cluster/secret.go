// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Secrets reads the Secrets of the host cluster, one by one: KSIT asks for no
// right to list or watch them.
type Secrets interface {
	Get(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error)
}

// ReadKubeconfig returns the kubeconfig of a target from the Secret that it
// names, or a finding that says why there is none and what to do. The finding
// holds nothing of the Secret.
func ReadKubeconfig(ctx context.Context, secrets Secrets, target *v1alpha1.IntegrationTarget) ([]byte, *Finding) {
	name := types.NamespacedName{Namespace: target.Namespace, Name: target.Spec.KubeconfigSecret}
	secret, err := secrets.Get(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, &Finding{Status: metav1.ConditionFalse, Reason: "SecretMissing",
			Message: fmt.Sprintf("there is no Secret %s in this namespace: create it with the kubeconfig under the key `kubeconfig`", name.Name)}
	case err != nil:
		return nil, &Finding{Status: metav1.ConditionUnknown, Reason: "SecretUnreadable",
			Message: fmt.Sprintf("reading Secret %s failed: %s", name.Name, apierrors.ReasonForError(err))}
	}
	for _, key := range []string{"kubeconfig", "value"} {
		if data, found := secret.Data[key]; found {
			return data, nil
		}
	}
	return nil, &Finding{Status: metav1.ConditionFalse, Reason: "SecretIncomplete",
		Message: fmt.Sprintf("Secret %s has neither the key `kubeconfig` nor the key `value`", name.Name)}
}

// ConnectTarget reads the kubeconfig of a target and returns the connection that
// is made from it, or a finding that says why there is none. It sends nothing to
// the target.
func (s *Set) ConnectTarget(ctx context.Context, secrets Secrets, target *v1alpha1.IntegrationTarget) (*Connection, *Finding) {
	kubeconfig, refusal := ReadKubeconfig(ctx, secrets, target)
	if refusal != nil {
		return nil, refusal
	}
	connection, err := s.Connect(ctx, types.NamespacedName{Namespace: target.Namespace, Name: target.Name}, kubeconfig)
	if err != nil {
		reason := string(ReasonOf(err))
		if reason == "" {
			reason = "KubeconfigUnusable"
		}
		return nil, &Finding{Status: metav1.ConditionFalse, Reason: reason,
			Message: fmt.Sprintf("Secret %s: %v", target.Spec.KubeconfigSecret, err)}
	}
	return connection, nil
}
