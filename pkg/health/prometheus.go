// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const monitoringGroup = "monitoring.coreos.com"

// operand is a kind of object for which the Prometheus operator runs pods.
type operand struct {
	check string
	kind  schema.GroupKind
	// prefix and the object's name make the name of the workload.
	prefix string
}

// prometheus checks the Prometheus operator and its stack.
func (p *probe) prometheus(ctx context.Context) []v1alpha1.CheckResult {
	checks := p.components(ctx, component{name: "operator", match: func(u *unstructured.Unstructured) bool {
		labels := u.GetLabels()
		return labels[labelName] == "prometheus-operator" ||
			labels[labelComponent] == "prometheus-operator" ||
			labels[labelApp] == "kube-prometheus-stack-operator" ||
			imaged("prometheus-operator")(u)
	}})

	prometheus := operand{"prometheus", schema.GroupKind{Group: monitoringGroup, Kind: "Prometheus"}, "prometheus-"}
	agent := operand{"prometheus-agent", schema.GroupKind{Group: monitoringGroup, Kind: "PrometheusAgent"}, "prom-agent-"}
	alertmanager := operand{"alertmanager", schema.GroupKind{Group: monitoringGroup, Kind: "Alertmanager"}, "alertmanager-"}

	servers := p.operands(ctx, prometheus)
	agents := p.operands(ctx, agent)
	if servers == nil && agents == nil {
		absent := p.absent(prometheus.check)
		servers = &absent
	}
	for _, check := range []*v1alpha1.CheckResult{servers, agents, p.operands(ctx, alertmanager)} {
		if check != nil {
			checks = append(checks, *check)
		}
	}

	checks = append(checks, p.components(ctx,
		component{name: "grafana", optional: true, match: labelled(labelName, "grafana")},
		component{name: "kube-state-metrics", optional: true, match: labelled(labelName, "kube-state-metrics")},
		component{name: "node-exporter", optional: true, match: labelled(labelName, "prometheus-node-exporter", "node-exporter")},
	)...)
	return append(checks, p.definitions(ctx,
		"alertmanagerconfigs."+monitoringGroup, "alertmanagers."+monitoringGroup, "podmonitors."+monitoringGroup,
		"probes."+monitoringGroup, "prometheuses."+monitoringGroup, "prometheusrules."+monitoringGroup,
		"servicemonitors."+monitoringGroup, "thanosrulers."+monitoringGroup))
}

// operands checks the objects of one kind and their workloads. It returns nil
// where there are none.
func (p *probe) operands(ctx context.Context, of operand) *v1alpha1.CheckResult {
	worst := passed("")
	var names []string
	for _, namespace := range p.namespaces() {
		list := p.list(ctx, of.kind, namespace, false)
		if list.err != nil {
			// That the kind is not served is told by the check of the CRDs.
			if v := unread(p.conn, object.ObjMetadata{GroupKind: of.kind}, list.err); v.reason != "KindNotServed" && rank(v.state) > rank(worst.state) {
				worst = v
			}
			continue
		}
		for _, u := range list.objects {
			names = append(names, namespace+"/"+u.GetName())
			v := judgeOperand(u)
			if v.state != v1alpha1.CheckFailed {
				if pods := p.operandPods(ctx, u, of.prefix+u.GetName()); rank(pods.state) > rank(v.state) || v.state == v1alpha1.CheckProgressing && pods.state != v1alpha1.CheckPassed {
					v = pods
				}
			}
			if v.state != v1alpha1.CheckPassed {
				p.note(idOf(u), v)
			}
			if rank(v.state) > rank(worst.state) {
				worst = v
				worst.message = describe(idOf(u)) + ": " + v.message
			}
		}
	}
	if len(names) == 0 && worst.state == v1alpha1.CheckPassed {
		return nil
	}
	if worst.state == v1alpha1.CheckPassed {
		worst.message = "reconciled and available: " + strings.Join(names, ", ")
	}
	check := result(of.check, worst)
	return &check
}

// judgeOperand judges an object by what the operator says of it.
func judgeOperand(u *unstructured.Unstructured) verdict {
	reconciled, available := condition(u, "Reconciled"), condition(u, "Available")
	switch {
	case reconciled.status == "", reconciled.generation != 0 && reconciled.generation < u.GetGeneration():
		return progressing("NotReconciled", "the operator has not taken it up yet")
	case reconciled.status == "False":
		return failed(orElse(reconciled.reason, "NotReconciled"), "the operator cannot reconcile it: %s", reconciled.message)
	case available.status == "True":
		return passed("is available")
	default:
		return progressing(orElse(available.reason, "NotAvailable"), "is not available: %s", orElse(available.message, "the operator says nothing of why"))
	}
}

// operandPods judges the workloads that the operator made for an object: one of
// that name, or for shards several with a suffix.
func (p *probe) operandPods(ctx context.Context, u *unstructured.Unstructured, name string) verdict {
	workloads, err := p.workloads(ctx)
	worst, found := passed(""), 0
	for _, w := range workloads {
		if w.GetNamespace() != u.GetNamespace() || w.GetName() != name && !strings.HasPrefix(w.GetName(), name+"-shard-") {
			continue
		}
		found++
		if v := p.verdictOn(ctx, w); rank(v.state) > rank(worst.state) {
			worst = v
		}
	}
	if found > 0 {
		return worst
	}
	if err != nil {
		return unknown("Unreadable", "its workload cannot be read")
	}
	v := progressing("NotCreated", "the operator has not made its workload %s yet", name)
	if p.now.Sub(u.GetCreationTimestamp().Time) > startupGrace {
		v.state = v1alpha1.CheckFailed
	}
	return v
}
