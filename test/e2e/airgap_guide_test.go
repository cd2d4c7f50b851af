// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guide is docs/air-gap.md: its blocks of code by heading and language.
type guide map[[2]string]string

var (
	guideSection = regexp.MustCompile(`(?m)^## (.*)$`)
	guideBlock   = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
)

func readGuide(t *testing.T) guide {
	t.Helper()
	data, err := os.ReadFile("../../docs/air-gap.md")
	must(t, err)
	text := string(data)
	g := guide{}
	sections := guideSection.FindAllStringSubmatchIndex(text, -1)
	for n, at := range sections {
		end := len(text)
		if n+1 < len(sections) {
			end = sections[n+1][0]
		}
		for _, block := range guideBlock.FindAllStringSubmatch(text[at[1]:end], -1) {
			g[[2]string{text[at[2]:at[3]], block[1]}] += block[2]
		}
	}
	return g
}

// code returns what a section has in a language.
func (g guide) code(t *testing.T, section, language string) string {
	t.Helper()
	code := g[[2]string{section, language}]
	if code == "" {
		t.Fatalf("the guide has no %s in its section %q", language, section)
	}
	return code
}

// commands returns what a section has to type in.
func (g guide) commands(t *testing.T, section string) []string {
	t.Helper()
	var all []string
	// A backslash or a pipe at the end of a line: there is more of the command.
	code := strings.NewReplacer("\\\n", "", "|\n", "|").Replace(g.code(t, section, "console"))
	for line := range strings.Lines(code) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

// shell runs commands of the guide in a directory, with the programs of the bed.
type shell struct {
	dir      string
	internet *internet
	ca       []byte
	env      []string
}

func newShell(t *testing.T, i *internet, caFile string, ca []byte) *shell {
	t.Helper()
	programs, home := t.TempDir(), t.TempDir()
	must(t, os.Symlink(s.bed.Tools.Helm, filepath.Join(programs, "helm")))
	must(t, os.Symlink(s.bed.Tools.Kubectl, filepath.Join(programs, "kubectl")))
	return &shell{dir: t.TempDir(), internet: i, ca: ca, env: []string{
		"PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home,
		"HTTPS_PROXY=" + i.proxy, "SSL_CERT_FILE=" + caFile,
	}}
}

// run runs commands, one after another in one shell, and returns what they print.
// Of curl, which machines need not have, it does the part itself.
func (sh *shell) run(t *testing.T, commands ...string) string {
	t.Helper()
	script := []string{"set -e"}
	for _, command := range commands {
		if words := strings.Fields(command); words[0] == "curl" {
			file := filepath.Join(sh.dir, words[len(words)-2])
			must(t, os.MkdirAll(filepath.Dir(file), 0o700))
			must(t, os.WriteFile(file, download(t, sh.internet, sh.ca, words[len(words)-1]), 0o600))
			continue
		}
		script = append(script, command)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Join(script, "\n"))
	cmd.Dir, cmd.Env = sh.dir, sh.env
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(commands, "\n"), err, out, problems.String())
	}
	return string(out)
}
