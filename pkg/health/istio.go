// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// webhookGrace is how long a ready istiod may take to fill in its certificate,
// which takes it a second or two.
const webhookGrace = 2 * time.Minute

// istio checks the Istio control plane.
func (p *probe) istio(ctx context.Context) []v1alpha1.CheckResult {
	istiod := component{name: "istiod", match: labelled(labelApp, "istiod")}
	checks := p.components(ctx, istiod)
	checks = append(checks, p.webhooks(ctx, checks[0].State))
	return append(checks, p.definitions(ctx,
		"authorizationpolicies.security.istio.io", "peerauthentications.security.istio.io", "requestauthentications.security.istio.io",
		"destinationrules.networking.istio.io", "envoyfilters.networking.istio.io", "gateways.networking.istio.io",
		"serviceentries.networking.istio.io", "sidecars.networking.istio.io", "virtualservices.networking.istio.io",
		"workloadentries.networking.istio.io", "workloadgroups.networking.istio.io",
		"telemetries.telemetry.istio.io", "wasmplugins.extensions.istio.io"))
}

// webhooks checks that istiod has put its certificate into the configurations
// of its webhooks. The charts leave it out; while it is not there, validation is
// off, and pods that want a sidecar are not admitted.
func (p *probe) webhooks(ctx context.Context, istiod v1alpha1.CheckState) v1alpha1.CheckResult {
	const name = "webhooks"
	var empty []string
	total, mutating := 0, 0
	for _, kind := range []schema.GroupKind{validatingWebhookKind, mutatingWebhookKind} {
		configurations, err := p.selected(ctx, kind, "app in (istiod, sidecar-injector)")
		if err != nil {
			return result(name, unread(p.conn, object.ObjMetadata{GroupKind: kind}, err))
		}
		for i := range configurations {
			u := &configurations[i]
			mine, filled := webhookCertificates(u, p.namespaces())
			if !mine {
				continue
			}
			total++
			if kind == mutatingWebhookKind {
				mutating++
			}
			if !filled {
				empty = append(empty, describe(idOf(u)))
			}
		}
	}
	switch {
	case total == 0 || mutating == 0 && len(p.in.Objects) == 0:
		return p.absent(name)
	case len(empty) == 0:
		return result(name, passed(fmt.Sprintf("all %d have a CA bundle", total)))
	case istiod != v1alpha1.CheckPassed:
		return result(name, progressing("NoCABundle", "istiod has put no CA bundle into %s yet", strings.Join(empty, ", ")))
	}
	since, simulated, err := p.istiodReadySince(ctx)
	switch {
	case err == nil && simulated:
		return result(name, passed("istiod runs on a simulated node (kwok), so nobody fills in the CA bundle of "+strings.Join(empty, ", ")))
	case err == nil && p.now.Sub(since.Time) > webhookGrace:
		v := failed("NoCABundle", "istiod is ready and has put no CA bundle into %s: look at its log", strings.Join(empty, ", "))
		return result(name, v)
	default:
		return result(name, progressing("NoCABundle", "istiod has put no CA bundle into %s yet", strings.Join(empty, ", ")))
	}
}

// selected reads the cluster-wide objects of a kind by label, one page of them.
func (p *probe) selected(ctx context.Context, kind schema.GroupKind, selector string) ([]unstructured.Unstructured, error) {
	mapping, err := p.mapping(kind)
	if err != nil {
		return nil, err
	}
	if err := p.acquire(ctx); err != nil {
		return nil, err
	}
	defer p.release()
	list, err := p.resource(mapping, "").List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: pageSize})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// webhookCertificates says whether a configuration leads to one of the
// namespaces, and whether all of its webhooks have a CA bundle. A webhook that
// is reached by URL may do without.
func webhookCertificates(u *unstructured.Unstructured, namespaces []string) (mine, filled bool) {
	webhooks, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
	filled = true
	for _, w := range webhooks {
		m, ok := w.(map[string]any)
		if !ok {
			continue
		}
		namespace, isService, _ := unstructured.NestedString(m, "clientConfig", "service", "namespace")
		if !isService {
			continue
		}
		for _, n := range namespaces {
			mine = mine || n == namespace
		}
		if bundle, _, _ := unstructured.NestedString(m, "clientConfig", "caBundle"); bundle == "" {
			filled = false
		}
	}
	return mine, filled
}

// istiodReadySince returns since when a pod of istiod is ready, and whether its
// node is one that kwok plays, on which no program runs.
func (p *probe) istiodReadySince(ctx context.Context) (since metav1.Time, simulated bool, err error) {
	for _, namespace := range p.namespaces() {
		pods, err := p.conn.Kubernetes().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=istiod", Limit: podsPerWorkload})
		if err != nil {
			return since, false, err
		}
		for i := range pods.Items {
			pod := &pods.Items[i]
			if !podReady(pod) {
				continue
			}
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodReady {
					since = c.LastTransitionTime
				}
			}
			node, err := p.conn.Metadata().Resource(corev1.SchemeGroupVersion.WithResource("nodes")).Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
			if err != nil {
				// Who may not see nodes is given the benefit of no doubt.
				return since, false, nil
			}
			_, simulated = node.Annotations["kwok.x-k8s.io/node"]
			return since, simulated, nil
		}
	}
	return since, false, errors.New("no pod of istiod is ready")
}
