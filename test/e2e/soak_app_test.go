// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
)

// soakShape is a way of installing something.
type soakShape struct {
	// chart is empty where manifests are applied.
	chart    string
	versions []string
	// values are those beside the one by which a change is known.
	values string
	// configMaps are how many of them the release has, deployments alike.
	configMaps  int
	deployments int
}

// soakShapes are what the apps of a soak are, in turns.
var soakShapes = []soakShape{
	{chart: "podinfo-lite", versions: []string{"1.0.0", "1.1.0", "2.0.0"}, configMaps: 1, deployments: 1},
	{chart: "hooks", versions: []string{"1.0.0", "1.1.0"}, configMaps: 1},
	{chart: "many", versions: []string{"1.0.0", "1.1.0"}, values: `count: "20", `, configMaps: 20},
	// One version: the definition is shared by all of them.
	{chart: "crd-then-cr", versions: []string{"1.0.0"}},
	// The inventory is a ConfigMap too.
	{configMaps: 2},
}

// soakApp is an Integration of a soak, as it shall be.
type soakApp struct {
	soakShape
	name string
	// group selects the targets by label; without it they are listed.
	group string

	round    int
	disabled bool
	deleted  bool
	// oneOnly leaves out the second target, for those that are listed.
	oneOnly bool
}

func newSoakApp(n int) *soakApp {
	app := &soakApp{soakShape: soakShapes[n%len(soakShapes)], name: fmt.Sprintf("soak-%02d", n)}
	if n%4 == 3 {
		app.group = fmt.Sprintf("group-%d", n%2)
	}
	return app
}

func (a *soakApp) version() string {
	return a.versions[a.round%len(a.versions)]
}

// mark is by what the present spec is known on a target.
func (a *soakApp) mark() string { return fmt.Sprintf("round-%d", a.round) }

// configMap names an object of the app that can be changed by hand; empty where
// it has none.
func (a *soakApp) configMap() string {
	switch a.chart {
	case "many":
		return a.name + "-0003"
	case "crd-then-cr":
		return ""
	default:
		return a.name
	}
}

// field is a key of that object which KSIT set.
func (a *soakApp) field() string {
	if a.chart == "" {
		return "message"
	}
	return "version"
}

func (a *soakApp) manifest(ns string) string {
	// Nothing may be given up: that is a matter of other tests.
	lifecycle := "    remediation: {retries: 50}\n    drift: {mode: Correct}\n"
	if a.disabled {
		lifecycle += "  enabled: false\n"
	}
	targets := []string{"one"}
	if !a.oneOnly {
		targets = append(targets, "two")
	}
	if a.group != "" {
		targets = nil
	}
	var manifest string
	if a.chart != "" {
		values := fmt.Sprintf("      values: {%smessage: %s}\n", a.values, a.mark())
		manifest = generic(ns, a.name, a.chart, a.version(), targets, values+lifecycle)
	} else {
		manifest = fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  type: generic
  targetClusters: [%[3]s]
  autoInstall:
    enabled: true
    method: manifest
    timeoutSeconds: 60
    manifestConfig:
      manifests: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: %[1]s}
        data: {message: %[4]s}
%[5]s`, a.name, ns, strings.Join(targets, ", "), a.mark(), lifecycle)
	}
	if a.group != "" {
		manifest = selected(manifest, a.group+": in")
	}
	return manifest
}
