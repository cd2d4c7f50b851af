// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/object"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"

	"ksit.io/ksit/pkg/health"
)

// replaceable are the kinds of hooks that can be made again without a loss: what
// runs to its end, and what it needs for that. A volume is not among them.
var replaceable = map[string]bool{
	"Job.batch": true, "Pod": true, "ConfigMap": true, "Secret": true, "ServiceAccount": true,
	"Role.rbac.authorization.k8s.io": true, "RoleBinding.rbac.authorization.k8s.io": true,
	"ClusterRole.rbac.authorization.k8s.io": true, "ClusterRoleBinding.rbac.authorization.k8s.io": true,
}

// isLeftoverHook tells whether an object could not be created since the same hook
// of an operation that was cut short is still there. Helm removes a hook before
// it creates it only where the chart says so, and all later operations would
// fail.
func isLeftoverHook(resources kube.ResourceList, err error) bool {
	if !apierrors.IsAlreadyExists(err) || len(resources) == 0 {
		return false
	}
	for _, info := range resources {
		if hookOf(info) == "" || !replaceable[info.Mapping.GroupVersionKind.GroupKind().String()] {
			return false
		}
	}
	return true
}

func hookOf(info *resource.Info) string {
	accessor, err := meta.Accessor(info.Object)
	if err != nil {
		return ""
	}
	return accessor.GetAnnotations()[release.HookAnnotation]
}

// removeLeftoverHooks deletes hooks that are there already, and returns when they
// are gone. An object of the same name that is not this hook is left: creating
// the hook then fails again, and says so.
func (c *kubeClient) removeLeftoverHooks(resources kube.ResourceList) error {
	var gone object.ObjMetadataSet
	for _, info := range resources {
		client := c.conn.Metadata().Resource(info.Mapping.Resource).Namespace(info.Namespace)
		there, err := client.Get(c.ctx, info.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || (err == nil && there.Annotations[release.HookAnnotation] != hookOf(info)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the hook %s that an earlier operation left: %w", describe(info), err)
		}
		policy := metav1.DeletePropagationBackground
		err = client.Delete(c.ctx, info.Name, metav1.DeleteOptions{
			Preconditions: metav1.NewUIDPreconditions(string(there.UID)), PropagationPolicy: &policy,
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting the hook %s that an earlier operation left: %w", describe(info), err)
		}
		gone = append(gone, objMetadata(info))
	}
	return health.WaitDeleted(c.ctx, c.conn, gone)
}
