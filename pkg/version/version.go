// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version says which build of KSIT this is, and on which Kubernetes it
// is built.
package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Set by the linker: -X ksit.io/ksit/pkg/version.gitVersion=v1.0.0 and so on.
// What is not set is read from what the Go tool chain records in the binary.
var (
	gitVersion = ""
	gitCommit  = ""
	buildDate  = ""
)

// unknown stands for what neither the linker nor the tool chain recorded.
const unknown = "unknown"

// Header is what the discovery of KSIT's API carries the version in. A client behind
// the aggregation layer finds it nowhere else until the host has read the documents of
// a newly registered API, which can take a minute.
const Header = "Ksit-Version"

// Info describes a build.
type Info struct {
	// GitVersion is the release of KSIT, v0.0.0-dev when not built as one.
	GitVersion string `json:"gitVersion"`
	// GitCommit is the commit it was built from, with "-dirty" when files were
	// changed.
	GitCommit string `json:"gitCommit"`
	// BuildDate is when the commit was made or the binary was built.
	BuildDate string `json:"buildDate"`
	// Kubernetes is the release whose API machinery is built in.
	Kubernetes string `json:"kubernetes"`
	// Go is the version of the compiler.
	Go string `json:"go"`
	// Platform is operating system and architecture.
	Platform string `json:"platform"`
}

// Get describes this build.
func Get() Info {
	info := Info{
		GitVersion: cmp.Or(gitVersion, "v0.0.0-dev"),
		GitCommit:  gitCommit,
		BuildDate:  buildDate,
		Kubernetes: unknown,
		Go:         runtime.Version(),
		Platform:   runtime.GOOS + "/" + runtime.GOARCH,
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		info.fillFrom(build)
	}
	info.GitCommit = cmp.Or(info.GitCommit, unknown)
	info.BuildDate = cmp.Or(info.BuildDate, unknown)
	return info
}

func (i *Info) fillFrom(build *debug.BuildInfo) {
	settings := map[string]string{}
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	if i.GitCommit == "" && settings["vcs.revision"] != "" {
		i.GitCommit = settings["vcs.revision"]
		if settings["vcs.modified"] == "true" {
			i.GitCommit += "-dirty"
		}
	}
	i.BuildDate = cmp.Or(i.BuildDate, settings["vcs.time"])
	for _, dep := range build.Deps {
		// The library k8s.io/apiserver v0.37.2 is Kubernetes v1.37.2.
		if minor, ok := strings.CutPrefix(dep.Version, "v0."); ok && dep.Path == "k8s.io/apiserver" {
			i.Kubernetes = "v1." + minor
		}
	}
}

// String is the version in one line.
func (i Info) String() string {
	return fmt.Sprintf("ksit %s (commit %s, %s), Kubernetes %s, %s %s",
		i.GitVersion, i.GitCommit, i.BuildDate, i.Kubernetes, i.Go, i.Platform)
}
