// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"errors"
	"fmt"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"
)

// clearHooks deletes the hooks among the resources that are on the target
// already, and waits until they are gone. An attempt that was cut short leaves
// them, and a hook that its chart has deleted only when it succeeds could never
// be created again. What is there and no hook is left alone: it is in the way.
func (c *kubeClient) clearHooks(resources kube.ResourceList) error {
	var left kube.ResourceList
	for _, info := range resources {
		found, err := c.leftHook(info)
		if err != nil {
			return fmt.Errorf("looking for the hook %s of an earlier attempt: %w", describe(info), err)
		}
		if found {
			left.Append(info)
		}
	}
	if len(left) == 0 {
		return nil
	}
	if _, errs := c.Client.Delete(left); len(errs) > 0 {
		return fmt.Errorf("removing the hook %s of an earlier attempt: %w", describe(left[0]), errors.Join(errs...))
	}
	return c.WaitForDelete(left, 0)
}

// leftHook tells whether a hook is on the target, as a hook.
func (c *kubeClient) leftHook(info *resource.Info) (bool, error) {
	if wanted, ok := info.Object.(metav1.Object); !ok || !isHook(wanted) {
		return false, nil
	}
	there, err := c.conn.Metadata().Resource(info.Mapping.Resource).Namespace(info.Namespace).Get(c.ctx, info.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && isHook(there), err
}

func isHook(object metav1.Object) bool {
	_, found := object.GetAnnotations()[release.HookAnnotation]
	return found
}
