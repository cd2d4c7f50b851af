// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package host reads from the host cluster the few objects that controllers
// need, by name: KSIT asks for no right to list or watch Secrets or ConfigMaps.
package host

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Reader reads objects of the host cluster.
type Reader struct {
	client kubernetes.Interface
}

// NewReader returns a Reader that uses client.
func NewReader(client kubernetes.Interface) *Reader { return &Reader{client: client} }

// Secrets reads Secrets.
func (r *Reader) Secrets() Secrets { return Secrets{r.client} }

// ConfigMaps reads ConfigMaps.
func (r *Reader) ConfigMaps() ConfigMaps { return ConfigMaps{r.client} }

// Namespaces reads namespaces.
func (r *Reader) Namespaces() Namespaces { return Namespaces{r.client} }

// Secrets reads Secrets.
type Secrets struct{ client kubernetes.Interface }

// Get returns a Secret, or the error of the API server.
func (s Secrets) Get(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	return s.client.CoreV1().Secrets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
}

// ConfigMaps reads ConfigMaps.
type ConfigMaps struct{ client kubernetes.Interface }

// Get returns a ConfigMap, or the error of the API server.
func (c ConfigMaps) Get(ctx context.Context, key types.NamespacedName) (*corev1.ConfigMap, error) {
	return c.client.CoreV1().ConfigMaps(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
}

// Namespaces reads namespaces.
type Namespaces struct{ client kubernetes.Interface }

// Terminating tells whether a namespace is being deleted, or is gone.
func (n Namespaces) Terminating(ctx context.Context, name string) (bool, error) {
	namespace, err := n.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return namespace.DeletionTimestamp != nil, nil
}
