// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Finding is the answer to one question of a probe, in the terms of a
// condition.
type Finding struct {
	Status  metav1.ConditionStatus
	Reason  string
	Message string
}

// Report is what a probe of a target found.
type Report struct {
	// Reachable: the API server answers.
	Reachable Finding
	// CredentialsValid: it knows who the credentials are.
	CredentialsValid Finding
	// Authorized: they may do what installing needs.
	Authorized Finding
	// Version of the API server, such as v1.37.2.
	Version string
	// Nodes is nil when the credentials may not list nodes, or nobody could say.
	Nodes *v1alpha1.NodeCounts
	// Latency is that of the first request, which asks for the version.
	Latency time.Duration
	// Time is when the probe began.
	Time time.Time
}

// Healthy is true when nothing is known that would keep KSIT from installing.
func (r Report) Healthy() bool {
	return r.Reachable.Status == metav1.ConditionTrue &&
		r.CredentialsValid.Status == metav1.ConditionTrue &&
		r.Authorized.Status == metav1.ConditionTrue
}

// maxVersionBytes bounds the version that a target says it has.
const maxVersionBytes = 128

// nodesPerPage bounds what is held of the nodes at a time: a node with its list
// of images takes tens of kilobytes.
const nodesPerPage = 100

// Probe asks the target who it is and what KSIT may do there. It ends with ctx.
func (c *Connection) Probe(ctx context.Context) Report {
	report := Report{Time: time.Now()}
	info, err := c.version(ctx)
	report.Latency = time.Since(report.Time)
	if err != nil {
		c.explain(&report, err)
		return report
	}
	report.Version = info.GitVersion
	report.Reachable = Finding{metav1.ConditionTrue, "Answered", "the API server answers"}

	// The version is told to anybody; who KSIT is comes out only here.
	report.Authorized, err = c.access(ctx)
	if err != nil {
		c.explain(&report, err)
		return report
	}
	report.CredentialsValid = Finding{metav1.ConditionTrue, "Accepted", "the API server accepts the credentials"}
	report.Nodes = c.nodes(ctx)
	return report
}

func (c *Connection) version(ctx context.Context) (version.Info, error) {
	var info version.Info
	data, err := c.kubernetes.Discovery().RESTClient().Get().AbsPath("/version").SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return info, err
	}
	if json.Unmarshal(data, &info) != nil || info.GitVersion == "" || len(info.GitVersion) > maxVersionBytes {
		return info, errNotKubernetes
	}
	return info, nil
}

var errNotKubernetes = errors.New("what answers is not a Kubernetes API server")

// explain enters an error as the findings that it amounts to.
func (c *Connection) explain(report *Report, err error) {
	unknown := Finding{metav1.ConditionUnknown, "NotProbed", "not found out in this probe"}
	if apierrors.IsUnauthorized(err) {
		report.Reachable = Finding{metav1.ConditionTrue, "Answered", "the API server answers"}
		report.CredentialsValid = c.refused()
		report.Authorized = Finding{metav1.ConditionFalse, "Unauthenticated", "the API server does not accept the credentials"}
		return
	}
	report.Reachable = unreachable(err, c.info.Endpoint)
	report.CredentialsValid, report.Authorized = unknown, unknown
	if c.expired() {
		report.CredentialsValid = c.refused()
	}
}

func (c *Connection) expired() bool {
	return !c.info.ExpiresAt.IsZero() && time.Now().After(c.info.ExpiresAt)
}

func (c *Connection) refused() Finding {
	if c.expired() {
		return Finding{metav1.ConditionFalse, "Expired",
			"the credentials of the kubeconfig ended at " + c.info.ExpiresAt.UTC().Format(time.RFC3339) + ": put a new kubeconfig into the Secret"}
	}
	return Finding{metav1.ConditionFalse, "Refused",
		"the API server does not accept the credentials of the kubeconfig (401): put a new kubeconfig into the Secret"}
}

// nodes counts the nodes, page by page, and returns nil when it cannot.
func (c *Connection) nodes(ctx context.Context) *v1alpha1.NodeCounts {
	counts := &v1alpha1.NodeCounts{}
	options := metav1.ListOptions{Limit: nodesPerPage}
	for {
		list, err := c.kubernetes.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return nil
		}
		for i := range list.Items {
			counts.Total++
			if nodeReady(&list.Items[i]) {
				counts.Ready++
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return counts
		}
	}
}

func nodeReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
