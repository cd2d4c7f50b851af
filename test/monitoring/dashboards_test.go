// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what the tests know of Grafana's model.
type dashboard struct {
	file          string
	UID           string
	Title         string
	Description   string
	SchemaVersion int
	Panels        []panel
	Templating    struct{ List []variable }
	Links         []struct{ URL string }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               struct{ UID string }
	FieldConfig              struct {
		Defaults struct {
			Unit  string
			Links []struct{ URL string }
		}
		Overrides []json.RawMessage
	}
	Targets []struct {
		RefID, Expr, LegendFormat string
		Datasource                struct{ UID string }
	}
}

type variable struct {
	Name, Type, Definition string
	Datasource             struct{ UID string }
}

var labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)

// selector is what a variable takes its values from.
func (v variable) selector() string {
	if match := labelValues.FindStringSubmatch(v.Definition); match != nil {
		return match[1]
	}
	return ""
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "artifacts/charts/ksit/dashboards/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards (%v)", err)
	}
	var all []dashboard
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		board := dashboard{file: filepath.Base(file)}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, board)
	}
	return all
}

// values are what variables stand for: the Integration that the end-to-end tests
// look at.
var values = map[string]string{
	"__rate_interval": "5m", "namespace": ".*", "integration": "watched", "type": "generic",
}

var name = regexp.MustCompile(`\$(?:\{)?(\w+)(?:\})?`)

// filled has a value for each variable of an expression.
func filled(expr string) string {
	return name.ReplaceAllStringFunc(expr, func(used string) string {
		return values[strings.Trim(used, "${}")]
	})
}

// TestDashboards checks what Grafana would not tell before somebody looks.
func TestDashboards(t *testing.T) {
	boards := dashboards(t)
	var uids []string
	for _, board := range boards {
		uids = append(uids, board.UID)
	}
	for _, board := range boards {
		t.Run(board.file, func(t *testing.T) {
			if board.Title == "" || board.Description == "" || board.SchemaVersion < 40 || !strings.HasPrefix(board.UID, "ksit-") {
				t.Errorf("title %q, description %q, uid %q, schema %d", board.Title, board.Description, board.UID, board.SchemaVersion)
			}
			known := []string{"__rate_interval", "__url_time_range", "__data"}
			for _, variable := range board.Templating.List {
				known = append(known, variable.Name)
				if variable.Type == "query" && (variable.Datasource.UID != "${datasource}" || variable.selector() == "") {
					t.Errorf("the variable %s asks %q of %q", variable.Name, variable.Definition, variable.Datasource.UID)
				}
			}
			if !slices.Contains(known, "datasource") {
				t.Error("there is no variable for the data source")
			}
			for _, link := range board.Links {
				if !slices.Contains(uids, strings.TrimPrefix(link.URL, "/d/")) {
					t.Errorf("the link %s leads nowhere", link.URL)
				}
			}
			checkPanels(t, board, known)
		})
	}
}

func checkPanels(t *testing.T, board dashboard, known []string) {
	t.Helper()
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, panel := range board.Panels {
		if ids[panel.ID] || panel.Title == "" {
			t.Errorf("panel %d %q has the id of another, or no title", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for x := panel.GridPos.X; x < panel.GridPos.X+panel.GridPos.W; x++ {
			for y := panel.GridPos.Y; y < panel.GridPos.Y+panel.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %s, or beyond the edge", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
		if panel.Type == "row" || panel.Type == "text" {
			continue
		}
		if !strings.HasSuffix(panel.Description, ".") || panel.Datasource.UID != "${datasource}" || len(panel.Targets) == 0 {
			t.Errorf("%s: description %q, data source %q, %d queries", panel.Title, panel.Description, panel.Datasource.UID, len(panel.Targets))
		}
		if panel.FieldConfig.Defaults.Unit == "" && panel.Type != "table" && panel.Type != "state-timeline" {
			t.Errorf("%s has no unit", panel.Title)
		}
		text := fmt.Sprint(panel.Title, panel.Description, panel.FieldConfig.Defaults.Links)
		for _, target := range panel.Targets {
			text += target.Expr
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%s asks the data source %q", panel.Title, target.Datasource.UID)
			}
			if panel.Type == "timeseries" && target.LegendFormat == "" {
				t.Errorf("%s has no legend for %s", panel.Title, target.Expr)
			}
		}
		for _, used := range name.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(known, used[1]) {
				t.Errorf("%s uses $%s, which is no variable of the dashboard", panel.Title, used[1])
			}
		}
	}
}

// silent are panels that have nothing to show while all is well, or that show
// what the KSIT of the end-to-end tests has not.
var silent = []string{
	"Certificates expire in",
	"Requests that failed",
}

// TestPanelsShowSomething asks what the panels ask, of a Prometheus that scraped
// a real KSIT with Integrations in several phases and clusters in several states.
func TestPanelsShowSomething(t *testing.T) {
	series, end := scraped(t)
	engine := newEngine()
	for _, board := range dashboards(t) {
		values := values["namespace"]
		if board.UID == "ksit-integration" {
			values = series.valueOf("ksit_integration_phase", "integration", "watched", "namespace")
		}
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				expr := strings.ReplaceAll(target.Expr, "$namespace", values)
				if got := query(t, engine, series, filled(expr), end); len(got) == 0 && !slices.Contains(silent, panel.Title) {
					t.Errorf("%s: %s shows nothing: %s", board.file, panel.Title, expr)
				}
			}
		}
	}
}

// valueOf is the value of a label of the series in which another has a value.
func (m *memory) valueOf(metric, label, value, wanted string) string {
	for _, series := range m.series {
		if series.labels.Get("__name__") == metric && series.labels.Get(label) == value {
			return series.labels.Get(wanted)
		}
	}
	return ""
}

// TestDashboardsAreTidy keeps changes of dashboards readable: they are written
// as encoding/json does.
func TestDashboardsAreTidy(t *testing.T) {
	for _, board := range dashboards(t) {
		content, err := os.ReadFile(filepath.Join(root, "artifacts/charts/ksit/dashboards", board.file))
		if err != nil {
			t.Fatal(err)
		}
		var tidy bytes.Buffer
		if err := json.Indent(&tidy, bytes.TrimSpace(content), "", "  "); err != nil {
			t.Fatal(err)
		}
		if tidy.WriteByte('\n'); !bytes.Equal(tidy.Bytes(), content) {
			t.Errorf("%s is not indented by two spaces", board.file)
		}
	}
}
