// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func document(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var alertRow = regexp.MustCompile("(?m)^\\| \\[`(KSIT\\w+)`\\]\\(runbooks\\.md#(\\w+)\\) \\| (\\w+) \\| (\\w+) \\|")

// TestAlertsAreListed checks the list of alerts in the documentation.
func TestAlertsAreListed(t *testing.T) {
	type row struct{ alert, severity, after string }
	var listed, there []row
	for _, match := range alertRow.FindAllStringSubmatch(document(t, "docs/monitoring.md"), -1) {
		listed = append(listed, row{match[1], match[3], match[4]})
		if match[2] != strings.ToLower(match[1]) {
			t.Errorf("%s links to the runbook %s", match[1], match[2])
		}
	}
	for _, rule := range alertsOf(rules(t)) {
		there = append(there, row{rule.Alert, rule.Labels["severity"], rule.For.String()})
	}
	if !slices.Equal(listed, there) {
		t.Errorf("docs/monitoring.md lists\n%v\nand the rules are\n%v", listed, there)
	}
}

var heading = regexp.MustCompile(`(?m)^## (\S+)$`)

// TestRunbooks asks for a runbook for each alert, with all that belongs to one,
// and for no other.
func TestRunbooks(t *testing.T) {
	text := document(t, "docs/runbooks.md")
	var titles, alerts []string
	starts := heading.FindAllStringSubmatchIndex(text, -1)
	for n, at := range starts {
		title, end := text[at[2]:at[3]], len(text)
		titles = append(titles, title)
		if n+1 < len(starts) {
			end = starts[n+1][0]
		}
		for _, part := range []string{"\n**It means**", "\n**Impact.**", "\n**Look:**", "\n```console\n$ ", "\n**Do.**", "\n**It is over**"} {
			if !strings.Contains(text[at[1]:end], part) {
				t.Errorf("the runbook of %s has no %s", title, strings.TrimSpace(part))
			}
		}
	}
	for _, rule := range alertsOf(rules(t)) {
		alerts = append(alerts, rule.Alert)
	}
	if !slices.Equal(titles, alerts) {
		t.Errorf("the runbooks are\n%v\nand the alerts\n%v", titles, alerts)
	}
}

// TestChartKeepsNamespaces checks that what is scraped keeps the label namespace
// that alerts and dashboards are about.
func TestChartKeepsNamespaces(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "artifacts/charts/ksit/templates/monitoring.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "honorLabels: true") {
		t.Error("the ServiceMonitor has the labels of the pod win over those of the metrics")
	}
}
