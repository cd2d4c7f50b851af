// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// reasonNotAllowed is that of a target that does not admit the namespace of the
// Installation any more.
const reasonNotAllowed = "NotAllowed"

// notAllowed leaves everything as it is: a right that is taken away is no order
// to uninstall.
func notAllowed(i *v1alpha1.Installation) decision {
	return decision{step: stepWait, phase: orPending(i.Status.Phase), reason: reasonNotAllowed,
		message: fmt.Sprintf("spec.tenancy.allowedNamespaces of IntegrationTarget %s does not admit namespace %s: nothing is installed, upgraded or probed there, "+
			"and this is what was last true; drop the target from the Integration, or have it admit the namespace", i.TargetName(), i.Namespace)}
}

// connect returns the connection by which an Installation is worked on: as the
// tenant, where the target says so, and never with more power than that. There
// is none without the target, which alone says as whom.
func (c *Controller) connect(o observed) (*cluster.Connection, bool, error) {
	base, connected := c.Connections.Get(o.installation.TargetKey())
	if !connected || o.target == nil {
		return nil, false, nil
	}
	connection, err := base.For(o.target, o.installation.Namespace)
	if err != nil {
		return nil, false, fmt.Errorf("acting as the tenant of namespace %s: %w", o.installation.Namespace, err)
	}
	return connection, true, nil
}

// mayAct asks, before anything is done on the target, whether the kubeconfig may
// act as the tenant. What is no answer is left to the work itself.
func mayAct(ctx context.Context, connection *cluster.Connection) error {
	var refused *cluster.ImpersonationError
	if err := connection.MayAct(ctx); errors.As(err, &refused) {
		return &installer.Error{Reason: installer.ReasonImpersonationForbidden, Terminal: true, Err: err}
	}
	return nil
}

// cannotAct says that nothing can be found out because the kubeconfig may not
// act as the tenant.
func (c *Controller) cannotAct(ctx context.Context, i *v1alpha1.Installation, refused error) error {
	return c.write(ctx, i, func(i *v1alpha1.Installation) {
		i.Status.Message = status.Shorten(refused.Error(), status.MaxMessage)
		setCondition(i, v1alpha1.ConditionHealthy, metav1.ConditionUnknown, string(installer.ReasonImpersonationForbidden), i.Status.Message)
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionUnknown, string(installer.ReasonImpersonationForbidden), i.Status.Message)
	})
}

// asTenant has an attempt count for as whom it is made as well: somebody else
// may have the right that was missing.
func asTenant(attempt string, target *v1alpha1.IntegrationTarget, namespace string) string {
	if target == nil {
		return attempt
	}
	identity, tenant := cluster.IdentityFor(target, namespace)
	if !tenant {
		return attempt
	}
	sum := sha256.Sum256([]byte(attempt + "\n" + identity.User + "\n" + strings.Join(identity.Groups, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}
