// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// argocd checks Argo CD. The chart and the project's manifests label alike.
func (p *probe) argocd(ctx context.Context) []v1alpha1.CheckResult {
	part := func(component string) func(*unstructured.Unstructured) bool {
		return func(u *unstructured.Unstructured) bool {
			labels := u.GetLabels()
			return labels[labelPartOf] == "argocd" &&
				(labels[labelComponent] == component || labels[labelName] == "argocd-"+component)
		}
	}
	checks := p.components(ctx,
		component{name: "application-controller", match: part("application-controller")},
		component{name: "repo-server", match: part("repo-server")},
		component{name: "server", match: part("server")},
		// The chart's redis-ha is a chart of its own, with its own labels.
		component{name: "redis", match: either(part("redis"), labelled(labelApp, "redis-ha", "redis-ha-haproxy"),
			labelled(labelName, "argocd-redis-ha", "argocd-redis-ha-haproxy"))},
		component{name: "applicationset-controller", optional: true, match: part("applicationset-controller")},
		component{name: "notifications-controller", optional: true, match: part("notifications-controller")},
		component{name: "dex-server", optional: true, match: part("dex-server")},
	)
	return append(checks, p.definitions(ctx, "applications.argoproj.io", "applicationsets.argoproj.io", "appprojects.argoproj.io"))
}
