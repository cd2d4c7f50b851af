// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// krewPlugin is what of a manifest of krew matters here.
type krewPlugin struct {
	APIVersion, Kind string
	Metadata         struct{ Name string }
	Spec             struct {
		Version, ShortDescription string
		Platforms                 []krewPlatform
	}
}

type krewPlatform struct {
	Selector struct{ MatchLabels struct{ OS, Arch string } }
	URI      string
	SHA256   string
	Bin      string
	Files    []struct{ From, To string }
}

// TestKrewManifest checks the manifest against what the Makefile builds: krew
// refuses what it does not find in an archive.
func TestKrewManifest(t *testing.T) {
	var plugin krewPlugin
	if err := yaml.Unmarshal([]byte(read(t, "artifacts/krew/ksit.yaml")), &plugin); err != nil {
		t.Fatal(err)
	}
	// The program's name is kubectl- and that of the plug-in.
	if plugin.Kind != "Plugin" || plugin.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || plugin.Metadata.Name != "ksit" {
		t.Errorf("it is %s %s %s", plugin.APIVersion, plugin.Kind, plugin.Metadata.Name)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(plugin.Spec.Version) || len(plugin.Spec.ShortDescription) > 50 {
		t.Errorf("version %q, short description %q", plugin.Spec.Version, plugin.Spec.ShortDescription)
	}
	built := regexp.MustCompile(`(?m)^PLUGIN_PLATFORMS := (.*)$`).FindStringSubmatch(read(t, "Makefile"))
	if built == nil {
		t.Fatal("the Makefile has no PLUGIN_PLATFORMS")
	}
	out, err := exec.CommandContext(t.Context(), "go", "tool", "dist", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(out))
	var offered []string
	for _, p := range plugin.Spec.Platforms {
		platform := p.Selector.MatchLabels.OS + "/" + p.Selector.MatchLabels.Arch
		offered = append(offered, platform)
		if !slices.Contains(known, platform) {
			t.Errorf("Go does not build for %s", platform)
		}
		p.check(t, plugin.Spec.Version)
	}
	if got, want := strings.Join(offered, " "), strings.TrimSpace(built[1]); got != want {
		t.Errorf("the manifest offers %s, the Makefile builds %s", got, want)
	}
}

func (p *krewPlatform) check(t *testing.T, version string) {
	t.Helper()
	l := p.Selector.MatchLabels
	program := "kubectl-ksit"
	if l.OS == "windows" {
		program += ".exe"
	}
	archive := "kubectl-ksit_" + version + "_" + l.OS + "_" + l.Arch + ".tar.gz"
	if p.Bin != program || !strings.HasPrefix(p.URI, "https://") || filepath.Base(p.URI) != archive {
		t.Errorf("%s/%s: bin %s of %s, want %s of %s", l.OS, l.Arch, p.Bin, p.URI, program, archive)
	}
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(p.SHA256) {
		t.Errorf("%s/%s: sha256 is %q", l.OS, l.Arch, p.SHA256)
	}
	script := read(t, "hack/krew-archives.sh")
	for _, file := range p.Files {
		if file.From != program && !strings.Contains(script, "cp LICENSE artifacts/krew/kubectl_complete-ksit") || file.To != "." {
			t.Errorf("%s/%s: %s goes to %s", l.OS, l.Arch, file.From, file.To)
		}
	}
	if len(p.Files) != 3 {
		t.Errorf("%s/%s: %d files, want the program, the completion and the license", l.OS, l.Arch, len(p.Files))
	}
}
