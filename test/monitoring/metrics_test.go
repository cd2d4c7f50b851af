// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// elsewhere are metrics that the KSIT of the end-to-end tests does not have,
// since it keeps no certificates of its own, and where they are made.
var elsewhere = map[string]string{
	"ksit_certificate_expiration_timestamp_seconds": "pkg/certificates/metrics.go",
}

// queries are the expressions of the rules and dashboards, by where they are.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, rule := range rules(t) {
		all["rules.yaml: "+rule.Alert+rule.Record+rule.Labels["quantile"]] = rule.Expr
	}
	for _, board := range dashboards(t) {
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				all[board.file+": "+panel.Title+" "+target.RefID] = filled(target.Expr)
			}
		}
		for _, variable := range board.Templating.List {
			if of := variable.selector(); of != "" {
				all[board.file+": variable "+variable.Name] = filled(of)
			}
		}
	}
	return all
}

// selectors are the parts of an expression that name a metric.
func selectors(t *testing.T, expr string) []*parser.VectorSelector {
	t.Helper()
	parsed, err := expressions().ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var found []*parser.VectorSelector
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			found = append(found, selector)
		}
		return nil
	})
	return found
}

// TestExpressionsParse needs nothing: a mistake in an expression shows at once.
func TestExpressionsParse(t *testing.T) {
	for where, expr := range queries(t) {
		if len(selectors(t, expr)) == 0 {
			t.Errorf("%s names no metric: %s", where, expr)
		}
	}
}

// TestExpressionsNameWhatThereIs checks each metric, each label, and the words
// that labels are compared with, against what a real KSIT was scraped of.
func TestExpressionsNameWhatThereIs(t *testing.T) {
	series, _ := scraped(t)
	names := series.names()
	for where, expr := range queries(t) {
		for _, selector := range selectors(t, expr) {
			if source := elsewhere[selector.Name]; source != "" {
				checkSource(t, source, selector)
				continue
			}
			if !names[selector.Name] {
				t.Errorf("%s: there is no metric %s", where, selector.Name)
				continue
			}
			for _, matcher := range selector.LabelMatchers {
				if !series.hasLabel(selector.Name, matcher.Name) {
					t.Errorf("%s: %s has no label %s", where, selector.Name, matcher.Name)
				}
			}
		}
	}
}

// checkSource checks a metric and its labels against the source that makes it.
func checkSource(t *testing.T, path string, selector *parser.VectorSelector) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	words := []string{selector.Name}
	for _, matcher := range selector.LabelMatchers {
		if matcher.Name != labels.MetricName {
			words = append(words, matcher.Name)
		}
	}
	for _, word := range words {
		if !strings.Contains(string(source), `"`+word+`"`) {
			t.Errorf("%s has no %q", path, word)
		}
	}
}

func (m *memory) hasLabel(metric, label string) bool {
	for _, series := range m.series {
		if series.labels.Get(labels.MetricName) == metric && series.labels.Has(label) {
			return true
		}
	}
	return false
}

// TestEveryMetricIsUsed keeps dashboards from falling behind: what KSIT itself
// exposes is on one of them, or an alert.
func TestEveryMetricIsUsed(t *testing.T) {
	series, _ := scraped(t)
	used := map[string]bool{}
	for _, expr := range queries(t) {
		for _, selector := range selectors(t, expr) {
			used[family(selector.Name)] = true
		}
	}
	// How long it took is in the log too, and it is seldom.
	used["ksit_etcd_defragmentation_duration_seconds"] = true
	for _, name := range slices.Sorted(maps.Keys(series.names())) {
		if strings.HasPrefix(name, "ksit_") && !used[family(name)] {
			t.Errorf("%s is on no dashboard and in no alert", name)
		}
	}
}

// family is the name of the metric that a series of a histogram belongs to.
func family(series string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, suffix); ok {
			return name
		}
	}
	return series
}

// TestBrief asks what operators are told to ask, word for word, of a Prometheus
// that scrapes a real KSIT and has the rules.
func TestBrief(t *testing.T) {
	series, end := scraped(t)
	evaluation := newEvaluation(series, rules(t))
	const reconcile = "ksit_integration_reconcile_duration_seconds"
	// The name of a histogram has no series: that is why there is a rule.
	if got := query(t, evaluation.engine, series, reconcile, end); len(got) != 0 {
		t.Errorf("%s has series without the rule: drop it", reconcile)
	}
	for at := epoch; !at.After(end); at = at.Add(time.Minute) {
		evaluation.step(t, at)
	}
	for _, expr := range []string{
		`up{job="ksit-controller-manager"}`,
		reconcile,
		`ksit_cluster_connection_status`,
		`rate(ksit_autoinstall_success_total[5m])`,
		`rate(ksit_integration_reconcile_duration_seconds_bucket[5m])`,
	} {
		found := query(t, evaluation.engine, series, expr, end)
		if len(found) == 0 {
			t.Errorf("%s answers nothing", expr)
		}
		for _, sample := range found {
			if sample.F != sample.F {
				t.Errorf("%s answers %s", expr, sample)
			}
		}
	}
	controllers := map[string]int{}
	for _, sample := range query(t, evaluation.engine, series, reconcile, end) {
		controllers[sample.Metric.Get("controller")]++
	}
	for _, controller := range []string{"integration", "target", "installation", "operation"} {
		if controllers[controller] != 3 {
			t.Errorf("%s has %d quantiles of the controller %s, want 3: %v", reconcile, controllers[controller], controller, controllers)
		}
	}
}
