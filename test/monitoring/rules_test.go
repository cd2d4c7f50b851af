// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

const root = "../.."

// rulesFile has the groups that the chart puts into a PrometheusRule.
var rulesFile = filepath.Join(root, "artifacts/charts/ksit/files/rules.yaml")

// rules reads the rules as a Prometheus does.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	content, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(content, false, model.LegacyValidation, expressions(), nil)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", rulesFile, errs)
	}
	var all []rulefmt.Rule
	for _, group := range groups.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// alertsOf returns the alerts among the rules.
func alertsOf(all []rulefmt.Rule) []rulefmt.Rule {
	var alerts []rulefmt.Rule
	for _, rule := range all {
		if rule.Alert != "" {
			alerts = append(alerts, rule)
		}
	}
	return alerts
}

// evaluation evaluates rules again and again, as a Prometheus does.
type evaluation struct {
	engine *promql.Engine
	series *memory
	rules  []rulefmt.Rule
	// since is when each alert with its labels became pending.
	since map[string]time.Time
}

// alert is one that fires.
type alert struct {
	labels      map[string]string
	annotations map[string]string
}

func newEvaluation(series *memory, rules []rulefmt.Rule) *evaluation {
	return &evaluation{engine: newEngine(), series: series, rules: rules, since: map[string]time.Time{}}
}

// step evaluates all rules at a time: what is recorded is added to the series,
// and what fires is returned.
func (e *evaluation) step(t *testing.T, at time.Time) []alert {
	t.Helper()
	var firing []alert
	pending := map[string]time.Time{}
	for _, rule := range e.rules {
		for _, found := range query(t, e.engine, e.series, rule.Expr, at) {
			if rule.Record != "" {
				e.series.add(withLabels(found.Metric, rule.Record, rule.Labels), at, found.F)
				continue
			}
			of := withLabels(found.Metric, "", map[string]string{labels.AlertName: rule.Alert})
			for name, text := range rule.Labels {
				of = withLabels(of, "", map[string]string{name: expand(t, text, found)})
			}
			key := of.String()
			pending[key] = at
			if began, known := e.since[key]; known {
				pending[key] = began
			}
			if at.Sub(pending[key]) < time.Duration(rule.For) {
				continue
			}
			fires := alert{labels: of.Map(), annotations: map[string]string{}}
			for name, text := range rule.Annotations {
				fires.annotations[name] = expand(t, text, found)
			}
			firing = append(firing, fires)
		}
	}
	e.since = pending
	return firing
}

// withLabels are labels with another name, or none, and more labels.
func withLabels(of labels.Labels, name string, more map[string]string) labels.Labels {
	builder := labels.NewBuilder(of)
	builder.Set(labels.MetricName, name)
	for name, value := range more {
		builder.Set(name, value)
	}
	return builder.Labels()
}

// expand fills in a template as a Prometheus does for alerts.
func expand(t *testing.T, text string, found promql.Sample) string {
	t.Helper()
	const names = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
	data := template.AlertTemplateData(found.Metric.Map(), nil, "", found)
	out, err := template.NewTemplateExpander(t.Context(), names+text, "test", data, model.Time(found.T), nil, nil, []string{"missingkey=error"}).Expand()
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return fmt.Sprintf("<%v>", err)
	}
	return out
}
