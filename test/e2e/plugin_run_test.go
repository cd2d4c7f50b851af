// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// person sits at a shell: with kubectl and the plug-in in the PATH, a kubeconfig
// of the host, and a directory of files. What they do is written down.
type person struct {
	dir       string
	env       []string
	recording *recording
}

// newPerson makes a person with a kubeconfig of the host, which has namespace as
// its default.
func newPerson(t *testing.T, name string, kubeconfig []byte, namespace string, recording *recording) *person {
	t.Helper()
	p := &person{dir: t.TempDir(), recording: recording}
	bin := filepath.Join(p.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	completion, err := filepath.Abs("../../artifacts/krew/kubectl_complete-ksit")
	if err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"kubectl-ksit": pluginBinary(t), "kubectl_complete-ksit": completion, "kubectl": s.bed.Tools.Kubectl, "helm": s.bed.Tools.Helm} {
		if err := os.Symlink(to, filepath.Join(bin, link)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := clientcmd.Load(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = namespace
	file := filepath.Join(p.dir, name+".kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + p.dir, "KUBECONFIG=" + file, "NO_PROXY=127.0.0.1,localhost"}
	return p
}

// pluginBinary is the program of the plug-in.
func pluginBinary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("KUBECTL_KSIT")
	if path == "" {
		t.Fatal("KUBECTL_KSIT must be the path of the plug-in: run make test-e2e")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// file writes a file that commands name by its name alone.
func (p *person) file(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a line of a shell, expects an exit code and words, and returns all
// that was printed.
func (p *person) run(t *testing.T, code int, line string, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.Dir, cmd.Env = p.dir, p.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	text := out.String()
	p.recording.add(line, text, got)
	t.Logf("$ %s\n%s", line, text)
	if got != code {
		t.Fatalf("%s: exit code %d, want %d:\n%s", line, got, code, text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s: nothing is said of %q:\n%s", line, word, text)
		}
	}
	return text
}

// recording is what people typed and saw, for docs/kubectl-ksit.md.
type recording struct {
	text    strings.Builder
	replace *strings.Replacer
}

// newRecording returns a recording that calls things as the document does:
// pairs of what is seen and what is written.
func newRecording(pairs ...string) *recording {
	return &recording{replace: strings.NewReplacer(pairs...)}
}

func (r *recording) chapter(title string) {
	fmt.Fprintf(&r.text, "\n# %s\n", title)
}

func (r *recording) add(line, out string, code int) {
	fmt.Fprintf(&r.text, "\n$ %s\n%s", line, out)
	if out != "" && !strings.HasSuffix(out, "\n") {
		r.text.WriteString("\n")
	}
	if code != 0 {
		fmt.Fprintf(&r.text, "(exit code %d)\n", code)
	}
}

var machinePath = regexp.MustCompile(`/[^\s:'"]*/(kubectl-ksit/kubeconfigs/|\.cache/)`)

// save writes the recording where KSIT_RECORD says, if it does.
func (r *recording) save(t *testing.T) {
	t.Helper()
	path := os.Getenv("KSIT_RECORD")
	if path == "" {
		return
	}
	text := machinePath.ReplaceAllString(r.replace.Replace(strings.TrimPrefix(r.text.String(), "\n")), "~/.cache/$1")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
