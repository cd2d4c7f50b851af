// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	applyv1alpha1 "ksit.io/ksit/pkg/generated/applyconfiguration/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// secretKey is the key of the kubeconfig in its Secret.
const secretKey = "kubeconfig"

// Target is what is registered with KSIT.
type Target struct {
	Namespace, Name string
	ClusterName     string
	Labels          map[string]string
	Kubeconfig      []byte
}

// SecretName is the name of the Secret of a target that this package made.
func SecretName(target string) string { return target + "-kubeconfig" }

// Hosts are the clients of the host cluster.
type Hosts struct {
	Kubernetes kubernetes.Interface
	KSIT       versioned.Interface
}

// Object returns the IntegrationTarget as it is registered.
func (t *Target) Object() *v1alpha1.IntegrationTarget {
	return &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: t.Name, Labels: t.Labels},
		Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: t.ClusterName, KubeconfigSecret: SecretName(t.Name)},
	}
}

// Secret returns the Secret as it is stored, without the kubeconfig.
func (t *Target) Secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: SecretName(t.Name), Labels: map[string]string{labelManagedBy: managedBy}},
		Type:       corev1.SecretTypeOpaque,
	}
}

// Create registers a target that is not there. The Secret is taken away again
// when the IntegrationTarget is refused.
func Create(ctx context.Context, hosts Hosts, t *Target, say Say) error {
	secret := t.Secret()
	secret.Data = map[string][]byte{secretKey: t.Kubeconfig}
	secrets := hosts.Kubernetes.CoreV1().Secrets(t.Namespace)
	if _, err := secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: managedBy}); err != nil {
		return fmt.Errorf("storing the kubeconfig in Secret %s: %w", secret.Name, err)
	}
	if _, err := hosts.KSIT.KsitV1alpha1().IntegrationTargets(t.Namespace).Create(ctx, t.Object(), metav1.CreateOptions{FieldManager: managedBy}); err != nil {
		if undo := secrets.Delete(context.WithoutCancel(ctx), secret.Name, metav1.DeleteOptions{}); undo != nil {
			say("Secret %s stays behind: deleting it failed", secret.Name)
		}
		return err
	}
	say("secret/%s created", secret.Name)
	say("integrationtarget.ksit.io/%s created", t.Name)
	return nil
}

// Replace registers a target, whether it is there or not: its credentials become
// the given ones.
func Replace(ctx context.Context, hosts Hosts, t *Target, say Say) error {
	secret := t.Secret()
	options := metav1.ApplyOptions{FieldManager: managedBy, Force: true}
	_, err := hosts.Kubernetes.CoreV1().Secrets(t.Namespace).Apply(ctx, applycorev1.Secret(secret.Name, secret.Namespace).
		WithLabels(secret.Labels).WithData(map[string][]byte{secretKey: t.Kubeconfig}), options)
	if err != nil {
		return fmt.Errorf("storing the kubeconfig in Secret %s: %w", secret.Name, err)
	}
	spec := applyv1alpha1.IntegrationTargetSpec().WithKubeconfigSecret(secret.Name)
	if t.ClusterName != "" {
		spec.WithClusterName(t.ClusterName)
	}
	apply := applyv1alpha1.IntegrationTarget(t.Name, t.Namespace).WithLabels(t.Labels).WithSpec(spec)
	if _, err := hosts.KSIT.KsitV1alpha1().IntegrationTargets(t.Namespace).Apply(ctx, apply, options); err != nil {
		return err
	}
	say("secret/%s applied", secret.Name)
	say("integrationtarget.ksit.io/%s applied", t.Name)
	return nil
}

// removeTimeout is how long a target that nothing is installed on may take to go:
// KSIT has a look first.
const removeTimeout = 15 * time.Second

// Remove deletes a target, and its Secret where this package made it.
func Remove(ctx context.Context, hosts Hosts, namespace, name string, say Say) error {
	target, err := hosts.KSIT.KsitV1alpha1().IntegrationTargets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := hosts.KSIT.KsitV1alpha1().IntegrationTargets(namespace).Delete(ctx, name, metav1.DeleteOptions{
		Preconditions: metav1.NewUIDPreconditions(string(target.UID)),
	}); err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, removeTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := hosts.KSIT.KsitV1alpha1().IntegrationTargets(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if wait.Interrupted(err) {
		// KSIT needs the credentials until it has uninstalled.
		say("integrationtarget.ksit.io/%s waits until nothing is installed on it; its Secret %s stays until then", name, target.Spec.KubeconfigSecret)
		return nil
	}
	if err != nil {
		return err
	}
	say("integrationtarget.ksit.io/%s deleted", name)
	secrets := hosts.Kubernetes.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(ctx, target.Spec.KubeconfigSecret, metav1.GetOptions{})
	if err != nil || secret.Labels[labelManagedBy] != managedBy {
		say("Secret %s is not kubectl-ksit's, and stays", target.Spec.KubeconfigSecret)
		return nil
	}
	if err := secrets.Delete(ctx, secret.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(secret.UID))}); err != nil {
		return fmt.Errorf("deleting Secret %s: %w", secret.Name, err)
	}
	say("secret/%s deleted", secret.Name)
	return nil
}
