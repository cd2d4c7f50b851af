// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const document = "Text with `$ make nothing`.\n\n```console\n$ make run   # to look\nthe output of make\n" +
	"$ KSIT=a kubectl get x -n <name> \\\n    -o \"custom columns\" | head\n$ kubectl apply -f - <<EOF\nkind: A\n$ no command\nEOF\n$ ls\n```\n\n" +
	"```bash\nhelm install ksit \\\n  --set a=b\n```\n\n```yaml\nkind: B\n```\n\n```\n$ make of no language\n```\n"

func TestCommands(t *testing.T) {
	var got [][]string
	for _, line := range Commands("a.md", document) {
		got = append(got, line.Words)
	}
	want := [][]string{
		{"make", "run"}, {"kubectl", "get", "x", "-n", "name", "-o", "custom columns"}, {"kubectl", "apply", "-f", "-"}, {"ls"},
		{"helm", "install", "ksit", "--set", "a=b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"kind: A\n$ no command\n", "kind: B\n"}, YAML(document)); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	root := &cobra.Command{Use: "ksit"}
	below := &cobra.Command{Use: "etcd"}
	snapshot := &cobra.Command{Use: "snapshot FILE", Run: func(*cobra.Command, []string) {}}
	snapshot.Flags().StringP("out", "o", "", "")
	below.AddCommand(snapshot)
	root.AddCommand(below)
	for line, want := range map[string]string{
		"etcd snapshot file":      "",
		"etcd snapshot -o x":      "",
		"etcd snapshot --out=x …": "",
		"etcd snapshot --help":    "",
		"etcd snap":               "has no command snap",
		"etcd snapshot --in x":    "has no flag --in",
		"etcd snapshot -i x":      "has no flag -i",
		"nothing":                 `unknown command "nothing"`,
	} {
		err := Check(root, strings.Fields(line))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
