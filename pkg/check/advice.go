// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// lasts is whether waiting does not mend an error.
func lasts(err error) bool {
	if apierrors.IsForbidden(err) {
		// What the admission chain says while its caches fill is a refusal as well.
		return !strings.Contains(err.Error(), notReady)
	}
	return apierrors.IsUnauthorized(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// notReady is in what admission plug-ins refuse with until they have read the host.
const notReady = "not yet ready to handle request"

// advice is what to do about the error of a step.
func (a *asker) advice(err error) string {
	var service *unavailable
	switch {
	case errors.As(err, &service):
		return a.serviceAdvice(service)
	case strings.Contains(err.Error(), notReady):
		return "KSIT cannot read the admission policies of the cluster: see which of its rights is missing in its log, " +
			"and compare them with rbac.yaml of the chart."
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return "This is a matter of the rights of who asks, or of a policy of the cluster: ask as somebody who has the ClusterRole " +
			"edit in the namespace, and, for the first step, may get APIServices."
	case apierrors.IsNotFound(err):
		return "KSIT is not installed in this cluster, or the namespace is not there: helm install it (docs/install.md), or choose the cluster with --kubeconfig."
	case apierrors.IsServiceUnavailable(err), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsTooManyRequests(err):
		return a.lookAtPods()
	default:
		return "See docs/troubleshooting.md. " + a.lookAtPods()
	}
}

// serviceAdvice goes by the reasons of the aggregator.
func (a *asker) serviceAdvice(service *unavailable) string {
	switch {
	case service.reason == "ServiceNotFound", service.reason == "ServicePortError", service.reason == "ServiceAccessError":
		return "The APIService is left from another install, or its Service is gone: helm upgrade puts both right."
	case strings.Contains(service.reason, "Endpoints"):
		return "No pod of KSIT is ready. " + a.lookAtPods()
	case strings.Contains(service.message, "x509"):
		return "The cluster does not trust the certificate of KSIT: caBundle of the APIService must have the authority that signed it (docs/certificates.md)."
	case strings.Contains(service.message, "Timeout"), strings.Contains(service.message, "deadline exceeded"), strings.Contains(service.message, "refused"):
		return "The control plane does not reach the pods of KSIT on port 8443: open it in firewalls between control plane and nodes, and in network policies."
	default:
		return a.lookAtPods()
	}
}

func (a *asker) lookAtPods() string {
	return fmt.Sprintf("Look at KSIT itself: kubectl get pods -n %[1]s -l app.kubernetes.io/name=ksit, and kubectl logs -n %[1]s -l app.kubernetes.io/name=ksit --tail=50.", a.namespace)
}
