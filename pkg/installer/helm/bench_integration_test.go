// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/action"
)

const service = `apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80}]
`

// BenchmarkInstall sets what this package does next to `helm install --wait`
// with the same chart, one release after the other and ten at once.
func BenchmarkInstall(b *testing.B) {
	target := newBench(b)
	target.charts.add(b, "small", "1.0.0", files{"templates/d.yaml": deployment, "templates/c.yaml": configMap, "templates/s.yaml": service})
	var count atomic.Int32
	byKSIT := func() error {
		n := count.Add(1)
		req := target.request(fmt.Sprintf("ksit-%d", n), "small", "1.0.0")
		_, err := target.installer.Apply(b.Context(), target.conn, req)
		return err
	}
	byHelm := func() error {
		namespace := fmt.Sprintf("helm-%d", count.Add(1))
		config := &action.Configuration{}
		if err := config.Init(target.human.RESTClientGetter(namespace), namespace, "secret", func(string, ...any) {}); err != nil {
			return err
		}
		loaded, err := loadChart(target.charts.charts["small-1.0.0.tgz"], "small")
		if err != nil {
			return err
		}
		install := action.NewInstall(config)
		install.ReleaseName, install.Namespace, install.CreateNamespace = "small", namespace, true
		install.Wait, install.Timeout = true, time.Minute
		_, err = install.Run(loaded, nil)
		return err
	}
	for _, way := range []struct {
		name    string
		install func() error
	}{{"ksit", byKSIT}, {"helm", byHelm}} {
		b.Run(way.name+"/one", func(b *testing.B) {
			for b.Loop() {
				if err := way.install(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(way.name+"/hundred by ten", func(b *testing.B) {
			for b.Loop() {
				var group errgroup.Group
				group.SetLimit(10)
				for range 100 {
					group.Go(way.install)
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
