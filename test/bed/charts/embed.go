// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package charts holds the sources of the bed's charts and manifests.
//
// Each directory REPOSITORY/CHART that has a Chart.yaml is a chart of that
// repository. A chart may list further versions of itself in versions.yaml;
// those have the same files, with version and appVersion replaced in
// Chart.yaml, and templates that differ by version look at .Chart.Version.
// A directory REPOSITORY/CHART@VERSION holds a version of its own. Files
// named *.recipe.yaml are expanded when a chart is packaged; what several
// recipes share is in shared. The directory manifests holds what is served
// as plain manifests: the files of one directory, one after the other.
//
// The charts are the project's own stand-ins. They have the names, versions,
// kinds, hooks and sizes that an installer meets in the charts they stand
// for, and nothing of their text.
package charts

import (
	"embed"
	"io/fs"
)

//go:embed all:argo-helm all:fluxcd-community all:istio all:manifests all:prometheus-community all:shared all:test
var files embed.FS

// FS returns the sources.
func FS() fs.FS { return files }
