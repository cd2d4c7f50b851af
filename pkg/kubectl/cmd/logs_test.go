// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/kubectl/hosttest"
)

func TestLogs(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	var query string
	host.On("GET installations/log", func(w http.ResponseWriter, r *http.Request, _, name string) {
		query = r.URL.RawQuery
		fmt.Fprintf(w, "%s: installing\n%s: \x1b[31mdone\n", name, name)
		if r.URL.Query().Get("follow") == "true" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
	r := c.run("logs", "web", "--target", target(2), "--tail", "5", "--since", "1500ms", "--timestamps")
	r.expect(t, 0)
	if want := "web.production-cluster-2: installing\nweb.production-cluster-2: \ufffd[31mdone\n"; r.out != want {
		t.Errorf("got %q", r.out)
	}
	for _, part := range []string{"tailLines=5", "sinceSeconds=2", "timestamps=true"} {
		if !strings.Contains(query, part) {
			t.Errorf("asked with %s, which has no %s", query, part)
		}
	}

	r = c.run("logs", "web")
	r.expect(t, 0)
	for _, line := range []string{"[production-cluster-1] web.production-cluster-1: installing\n", "[production-cluster-2] web.production-cluster-2: installing\n"} {
		if !strings.Contains(r.out, line) {
			t.Errorf("no line %q in:\n%s", line, r.out)
		}
	}

	following := c.follow("logs", "web", "-f")
	following.until(t, "production-cluster-1: installing")
	following.until(t, "production-cluster-2: installing")
	following.stop(t, 0)
}

func TestLogsOfManyTargetsAreBounded(t *testing.T) {
	host := hosttest.New(t)
	host.Put(t, integration("web", "Running", 30, 30))
	for n := range 30 {
		host.Put(t, installed("web", n, "Running"))
	}
	c := newClient(t, host)
	c.run("logs", "web").expect(t, 1, "is on 30 targets", "--max-targets")
	c.run("logs", "web", "--tail", "-2").expect(t, 1, "--tail is -2")
	c.run("logs", "web", "--since", "-1s").expect(t, 1, "--since is -1s")
}
