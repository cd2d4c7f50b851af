// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/report"
)

// TestEtcdCommands takes a snapshot of a data directory, restores it, copies it
// into another, and looks at the copy.
func TestEtcdCommands(t *testing.T) {
	parent := t.TempDir()
	dir := func(name string) string { return filepath.Join(parent, name) }
	connection, err := endpoint.Start(t.Context(), dir("data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ksit.io/integrations/a/b", "ksit.io/integrations/a/c", "ksit.io/installations/a/b", "pods/a/b"} {
		if _, err := connection.Put(t.Context(), "/registry/"+key, "value"); err != nil {
			t.Fatal(err)
		}
	}
	// While it runs, and by standard output.
	streamed, err := run(t, "etcd", "snapshot", "--data-dir="+dir("data"), "--to=-")
	if err != nil || len(streamed) < 1<<12 {
		t.Fatalf("a snapshot of a running etcd: %d bytes, %v", len(streamed), err)
	}
	if err := connection.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"etcd", "snapshot", "--data-dir=" + dir("data"), "--to=" + dir("ksit.db")},
		{"etcd", "restore", "--data-dir=" + dir("restored"), "--from=" + dir("ksit.db")},
		{"etcd", "migrate", "--from-data-dir=" + dir("restored"), "--to-data-dir=" + dir("moved")},
		{"etcd", "migrate", "--from-snapshot=" + dir("ksit.db"), "--to-data-dir=" + dir("moved"), "--overwrite"},
	} {
		if out, err := run(t, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	out, err := run(t, "etcd", "status", "--data-dir="+dir("moved"), "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want := []report.Resource{{Name: "installations", Count: 1}, {Name: "integrations", Count: 2}}
	if len(got.Resources) != 2 || got.Resources[0] != want[0] || got.Resources[1] != want[1] {
		t.Errorf("the resources are %v, want %v", got.Resources, want)
	}
	if len(got.Members) != 1 || !got.Members[0].Leader || got.Members[0].QuotaBytes == 0 {
		t.Errorf("the members are %+v", got.Members)
	}
	table, err := run(t, "etcd", "status", "--data-dir="+dir("moved"))
	if err != nil || !strings.Contains(table, "integrations   2") {
		t.Errorf("the table is (error %v):\n%s", err, table)
	}
}

func TestEtcdCommandsRefuseNonsense(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"nothing to save":      {[]string{"snapshot", "--to=-"}, "--data-dir or --etcd-servers must be given"},
		"nowhere to save it":   {[]string{"snapshot", "--data-dir=x"}, "--to must be given"},
		"two sources":          {[]string{"snapshot", "--data-dir=x", "--etcd-servers=http://x", "--to=-"}, "exclude each other"},
		"half a certificate":   {[]string{"status", "--etcd-servers=https://x", "--etcd-certfile=x"}, "together"},
		"certificate for http": {[]string{"status", "--etcd-servers=http://x", "--etcd-cafile=x"}, "must be https://"},
		"no URL":               {[]string{"status", "--etcd-servers=etcd:2379"}, "no URL"},
		"unknown format":       {[]string{"status", "--data-dir=x", "--output=yaml"}, "empty or json"},
		"nothing to restore":   {[]string{"restore", "--data-dir=x"}, "--from must be given"},
		"nowhere to restore":   {[]string{"restore", "--from=x"}, "--data-dir must be given"},
		"no destination":       {[]string{"migrate", "--from-data-dir=x"}, "--to-data-dir or --to-etcd-servers must be given"},
		"snapshot and source":  {[]string{"migrate", "--from-snapshot=x", "--from-data-dir=x", "--to-data-dir=y"}, "excludes"},
		"surplus":              {[]string{"status", "surplus"}, "surplus"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := run(t, append([]string{"etcd"}, test.args...)...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
			if _, err := os.Stat("x"); err == nil {
				t.Error("something was made")
			}
		})
	}
}
