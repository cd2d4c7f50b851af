// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ksit.io/ksit/test/e2e/internal/guide"
)

// pages is docs/air-gap.md, whose code a test asks for.
type pages struct{ guide.Guide }

func readGuide(t *testing.T) pages {
	t.Helper()
	g, err := guide.Read("../../docs/air-gap.md")
	must(t, err)
	return pages{g}
}

// code returns what a section has in a language.
func (p pages) code(t *testing.T, section, language string) string {
	t.Helper()
	code, err := p.Code(section, language)
	must(t, err)
	return code
}

// commands returns what a section has to type in.
func (p pages) commands(t *testing.T, section string) []string {
	t.Helper()
	all, err := p.Commands(section)
	must(t, err)
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
