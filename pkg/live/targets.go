// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package live answers what users ask about a cluster, or about what is
// installed there, while they wait: by a look at the cluster itself. It writes
// nothing, there or here.
package live

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
)

// Targets connects to clusters.
type Targets struct {
	// Client reads the IntegrationTargets.
	Client client.IntegrationTargetsGetter
	// Secrets reads the kubeconfigs on the host cluster.
	Secrets cluster.Secrets
	// Connections are those of the process.
	Connections *cluster.Set
}

// Connect returns the connection to a target. The error is one of the API: it
// says what is wrong with the kubeconfig, and holds nothing of it. Nothing is
// sent to the target yet.
func (t *Targets) Connect(ctx context.Context, target *v1alpha1.IntegrationTarget) (*cluster.Connection, error) {
	if target.Spec.Suspend {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("IntegrationTarget %s/%s is suspended: spec.suspend is true", target.Namespace, target.Name))
	}
	connection, refusal := t.Connections.ConnectTarget(ctx, t.Secrets, target)
	if refusal != nil {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("IntegrationTarget %s/%s cannot be connected to (%s): %s",
			target.Namespace, target.Name, refusal.Reason, refusal.Message))
	}
	return connection, nil
}

// Of returns the target of an Installation, and the connection by which KSIT
// works on it there: as the tenant, where the target says so. A target that does
// not admit the namespace any more shows it nothing.
func (t *Targets) Of(ctx context.Context, installation *v1alpha1.Installation) (*v1alpha1.IntegrationTarget, *cluster.Connection, error) {
	key := installation.TargetKey()
	target, err := t.Client.IntegrationTargets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil, apierrors.NewServiceUnavailable(fmt.Sprintf("there is no IntegrationTarget %s that Installation %s/%s is for",
			key, installation.Namespace, installation.Name))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading IntegrationTarget %s: %w", key, err)
	}
	if !target.Admits(installation.Namespace) {
		return nil, nil, apierrors.NewForbidden(v1alpha1.Resource("installations"), installation.Name,
			fmt.Errorf("spec.tenancy.allowedNamespaces of IntegrationTarget %s does not admit namespace %q", key, installation.Namespace))
	}
	base, err := t.Connect(ctx, target)
	if err != nil {
		return nil, nil, err
	}
	connection, err := base.For(target, installation.Namespace)
	if err != nil {
		return nil, nil, fmt.Errorf("acting as the tenant of namespace %s on IntegrationTarget %s: %w", installation.Namespace, key, err)
	}
	return target, connection, nil
}
