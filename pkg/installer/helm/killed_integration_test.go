// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// killStride is how many requests lie between two kills. With 1 the test takes
// minutes, and found nothing that 3 did not.
const killStride = 3

// TestKilled has the process die before each of the requests of an install, of
// an upgrade and of a rollback in turn: nothing that it sends afterwards gets
// through, as after kill -9. A new process must bring the release to its end,
// without uninstalling anything.
func TestKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	defer b.dead.Wait()
	for _, kind := range []string{"install", "upgrade", "rollback"} {
		var total atomic.Int32
		t.Run(kind, func(t *testing.T) {
			total.Store(b.killAfter(t, kind, 1000))
		})
		t.Run(kind+" killed", func(t *testing.T) {
			for n := int32(0); n < total.Load(); n += killStride {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					t.Parallel()
					b.killAfter(t, kind, n)
				})
			}
		})
	}
}

// killAfter lets n requests through, and returns how many there were.
func (b *bench) killAfter(t *testing.T, kind string, n int32) int32 {
	t.Helper()
	namespace := fmt.Sprintf("killed-%s-%d", kind, n)
	release := fmt.Sprintf("r-%s-%d", kind, n)
	// A CRD belongs to one release, so each has a chart of its own.
	req := b.request(namespace, b.killedChart(t, release), "1.0.0")
	req.AutoInstall.HelmConfig.ReleaseName = release
	finish := (*Installer).Apply
	switch kind {
	case "upgrade":
		b.apply(t, req)
		req = withValues(req, map[string]any{"replicas": 2, "color": "green"})
	case "rollback":
		b.apply(t, req)
		req = withValues(req, map[string]any{"replicas": 2, "broken": true})
		b.mustFail(t, req)
		finish = (*Installer).Rollback
	}
	deploymentUID := func() types.UID {
		d, err := b.Client.AppsV1().Deployments(namespace).Get(t.Context(), release, metav1.GetOptions{})
		if err != nil {
			return ""
		}
		return d.UID
	}

	proxy := newRecorder(t, b.Config)
	conn := connect(t, proxy.kubeconfig, "ksit")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sent atomic.Int32
	killed := make(chan struct{})
	proxy.setBefore(func(*http.Request) {
		switch count := sent.Add(1); {
		case count == n+1:
			close(killed)
			fallthrough
		case count > n:
			panic(http.ErrAbortHandler)
		}
	})
	ended := make(chan error, 1)
	dead := newInstaller(t, nil)
	b.dead.Go(func() {
		_, err := finish(dead, ctx, conn, req)
		ended <- err
	})
	select {
	case <-killed:
		// It may go on for a while. Nobody hears it.
		cancel()
	case err := <-ended:
		// How many requests it takes differs a little with what the target
		// answers, so that one or two of the last cases get through.
		if err != nil {
			t.Fatalf("it failed after %d requests: %v", sent.Load(), err)
		}
		if n >= 1000 {
			return sent.Load()
		}
	}
	before := deploymentUID()

	result, err := finish(newInstaller(t, nil), t.Context(), b.conn, req)
	if err != nil {
		t.Fatalf("after the kill at request %d: %v", n, err)
	}
	if after := deploymentUID(); after == "" || (before != "" && after != before) {
		t.Errorf("the Deployment was made anew: %s, then %s", before, after)
	}
	if _, err := b.Client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "only-broken", metav1.GetOptions{}); err == nil {
		t.Error("what the failed revision made is left")
	}
	deployed := 0
	for _, s := range b.releaseSecrets(t, namespace, release) {
		switch s.Labels["status"] {
		case "deployed":
			deployed++
		case "failed", "superseded":
		default:
			t.Errorf("%s is %s", s.Name, s.Labels["status"])
		}
	}
	if deployed != 1 || len(result.Releases) != 1 || result.Releases[0].Adopted {
		t.Errorf("%d deployed revisions, result %+v", deployed, result)
	}
	return 0
}

// killedChart publishes a chart with CRDs of its own.
func (b *bench) killedChart(t *testing.T, release string) string {
	t.Helper()
	kind := "K" + sha256Hex([]byte(release))[:8]
	name := "killed-" + release
	b.charts.add(t, name, "1.0.0", files{
		"crds/c.yaml":        crdOf(kind, strings.ToLower(kind)+"s"),
		"templates/crd.yaml": crdOf(kind+"t", strings.ToLower(kind)+"ts"),
		"templates/a.yaml":   customResource(kind, "a"),
		"templates/b.yaml":   customResource(kind+"t", "a"),
		"templates/pre.yaml": hookJob("pre", "pre-install,pre-upgrade,pre-rollback", ""),
		"templates/d.yaml":   deployment,
		"templates/broken.yaml": "{{ if .Values.broken }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: only-broken}\n---\n" +
			"apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: [{port: 99999}]}\n{{ end }}",
	})
	return name
}

// TestNothingStaysBehind ends an install at different moments and looks for
// goroutines that go on.
func TestNothingStaysBehind(t *testing.T) {
	b := newBench(t)
	b.charts.add(t, "leak", "1.0.0", files{"templates/d.yaml": deployment, "templates/c.yaml": configMap, "crds/c.yaml": crdOf("Leek", "leeks")})
	b.apply(t, b.request("leak", "leak", "1.0.0"))
	known := goleak.IgnoreCurrent()
	for n := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(n)*40*time.Millisecond, cancel)
		start := time.Now()
		_, _ = b.installer.Apply(ctx, b.conn, b.request(fmt.Sprintf("leak-%d", n), "leak", "1.0.0"))
		cancel()
		if took := time.Since(start); took > 12*time.Second {
			t.Errorf("it took %s to end", took)
		}
	}
	ignore := []goleak.Option{
		known,
		// Of the HTTP servers and clients of the test and of the connection.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"),
		goleak.IgnoreAnyFunction("net/http.(*http2clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"),
	}
	if err := goleak.Find(ignore...); err != nil {
		t.Error(err)
	}
}
