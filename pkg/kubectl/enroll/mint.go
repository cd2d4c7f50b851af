// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// managedBy labels what this package makes.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "kubectl-ksit"
)

// Account is a service account that KSIT gets on a target.
type Account struct {
	// Namespace and Name are its own; both are made when missing.
	Namespace, Name string
	// ClusterRole is what it may do.
	ClusterRole string
	// Impersonation is whom it may act as.
	Impersonation Impersonation
	// TokenDuration is how long its token is asked to be valid.
	TokenDuration time.Duration
}

// Minted is what came of it.
type Minted struct {
	// Config is the kubeconfig of the account.
	Config *clientcmdapi.Config
	// ExpiresAt is when the token ends; the cluster may grant less than asked for.
	ExpiresAt time.Time
}

// Say tells whoever waits what was done.
type Say func(format string, args ...any)

// ClientConfig returns how the target is reached with the caller's own
// credentials, those included that only run on the caller's machine.
func ClientConfig(config *clientcmdapi.Config) (*rest.Config, error) {
	c, err := clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the target: %w", err)
	}
	return c, nil
}

// Mint makes the account on the target, with a token, and returns a kubeconfig
// that has the token and nothing of the caller's credentials. The caller needs
// the rights on the target that it gives away.
func Mint(ctx context.Context, client kubernetes.Interface, config *clientcmdapi.Config, account Account, say Say) (*Minted, error) {
	if err := ensureAccount(ctx, client, account, say); err != nil {
		return nil, err
	}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}
	if err := bind(ctx, client, bindingName("ksit", account.ClusterRole, subject), account.ClusterRole, subject, say); err != nil {
		return nil, err
	}
	if account.Impersonation.Wanted() {
		if err := AllowImpersonation(ctx, client, subject, account.Impersonation, say); err != nil {
			return nil, err
		}
	}
	seconds := int64(account.TokenDuration / time.Second)
	request, err := client.CoreV1().ServiceAccounts(account.Namespace).CreateToken(ctx, account.Name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("asking for a token of service account %s/%s on the target: %w", account.Namespace, account.Name, err)
	}
	minted := config.DeepCopy()
	for name := range minted.AuthInfos {
		minted.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	}
	return &Minted{Config: minted, ExpiresAt: request.Status.ExpirationTimestamp.Time}, nil
}

func ensureAccount(ctx context.Context, client kubernetes.Interface, account Account, say Say) error {
	labels := map[string]string{labelManagedBy: managedBy}
	// Most may create service accounts where they may not create namespaces.
	if _, err := client.CoreV1().Namespaces().Get(ctx, account.Namespace, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: account.Namespace, Labels: labels},
		}, metav1.CreateOptions{FieldManager: managedBy})
		if err := said(err, say, "namespace %s", account.Namespace); err != nil {
			return err
		}
	}
	_, err := client.CoreV1().ServiceAccounts(account.Namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: account.Name, Labels: labels},
	}, metav1.CreateOptions{FieldManager: managedBy})
	return said(err, say, "service account %s/%s", account.Namespace, account.Name)
}

// said says that something was made, or was there.
func said(err error, say Say, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	switch {
	case err == nil:
		say("%s created on the target", what)
		return nil
	case apierrors.IsAlreadyExists(err):
		return nil
	default:
		return fmt.Errorf("creating %s on the target: %w", what, err)
	}
}

// bindingName is the same whenever the same is bound again.
func bindingName(prefix, role string, subject rbacv1.Subject) string {
	sum := sha256.Sum256([]byte(role + "\x00" + subject.Kind + "\x00" + subject.Namespace + "\x00" + subject.Name))
	return prefix + "-" + hex.EncodeToString(sum[:5])
}

func bind(ctx context.Context, client kubernetes.Interface, name, role string, subject rbacv1.Subject, say Say) error {
	_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedBy}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{FieldManager: managedBy})
	return said(err, say, "binding %s of ClusterRole %s to %s", name, role, subject.Name)
}
