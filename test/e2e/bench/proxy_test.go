// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

const (
	// proxied is how many objects there are on the target, and proxiedGets how
	// many are read.
	proxied     = 500
	proxiedGets = 3000
	benchUser   = "bench"

	viaTarget     = "target"
	viaProxy      = "proxy"
	viaHostsProxy = "aggregated-proxy"
)

// BenchmarkProxy measures reads of a target's API by the subresource proxy, of
// KSIT itself and through the host's aggregation layer, against the same reads
// without anything in between.
func BenchmarkProxy(b *testing.B) {
	on := newBed(b, bed.Options{Targets: 1})
	run := startServer(b, on)
	target := on.Targets[0]
	if err := on.RegisterTarget(b.Context(), system, target); err != nil {
		b.Fatal(err)
	}
	prepareProxy(b, on.Host, "ksit-target-proxy")
	prepareProxy(b, target, "view")
	client, err := target.Client()
	if err != nil {
		b.Fatal(err)
	}
	for n := range proxied {
		object := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: objectName(n), Labels: map[string]string{"bench": "proxy"}},
			Data:       map[string]string{"text": strings.Repeat("x", 1000)},
		}
		if _, err := client.CoreV1().ConfigMaps("default").Create(b.Context(), object, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}

	const path = "/apis/ksit.io/v1alpha1/namespaces/" + system + "/integrationtargets/%s/proxy"
	below := func(config *rest.Config) *rest.Config {
		config.Host += fmt.Sprintf(path, target.Name)
		return config
	}
	self := userConfig(b, on.Host)
	self.Host, self.CAData = run.URL, run.Cert.CAPEM
	var subjects []*subject
	for _, s := range []struct {
		name   string
		config *rest.Config
	}{
		{viaTarget, userConfig(b, target)}, {viaProxy, below(self)}, {viaHostsProxy, below(userConfig(b, on.Host))},
	} {
		subjects = append(subjects, &subject{
			name: s.name, url: s.config.Host + "/api/v1/namespaces/default/configmaps", mediaType: jsonType, clients: newClients(b, s.config),
		})
	}
	for _, s := range subjects {
		if err := poll.Until(b.Context(), time.Minute, func(ctx context.Context) error { return s.get(ctx, s.clients[0], 0) }); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("get", func(b *testing.B) {
		rates := inTurns(b, subjects, proxiedGets, rounds, func(ctx context.Context, s *subject, c *http.Client, n int) error {
			return s.get(ctx, c, n%proxied)
		})
		for name, rate := range rates {
			b.ReportMetric(rate, name+"/s")
			if name != viaTarget {
				b.ReportMetric(rate/rates[viaTarget], name+"-x-of-target")
			}
		}
		reportLoad(b)
	})
	b.Run("get-alone", func(b *testing.B) {
		reportProxyTimes(b, subjects, 300, func(ctx context.Context, s *subject, n int) error { return s.get(ctx, s.clients[0], n%proxied) })
	})
	b.Run("list", func(b *testing.B) {
		reportProxyTimes(b, subjects, 5*lists, func(ctx context.Context, s *subject, _ int) error {
			return s.do(ctx, s.clients[0], http.MethodGet, "", "", nil, io.Discard)
		})
	})
}

// reportProxyTimes reports the medians of calls that wait for each other, and how
// many times as long they take as those without a proxy.
func reportProxyTimes(b *testing.B, subjects []*subject, calls int, do func(ctx context.Context, s *subject, n int) error) {
	b.Helper()
	took := map[string][]time.Duration{}
	for n := range calls {
		for _, s := range subjects {
			begin := time.Now()
			if err := do(b.Context(), s, n); err != nil {
				b.Fatal(err)
			}
			took[s.name] = append(took[s.name], time.Since(begin))
		}
	}
	direct := median(took[viaTarget])
	for name, durations := range took {
		m := median(durations)
		b.ReportMetric(milliseconds(m), name+"-ms")
		if name != viaTarget {
			b.ReportMetric(float64(m)/float64(direct), name+"-x-of-target")
		}
	}
	reportLoad(b)
}

// userConfig is that of the user of the benchmark on a cluster.
func userConfig(b *testing.B, on *bed.Cluster) *rest.Config {
	b.Helper()
	data, err := on.UserKubeconfig(benchUser)
	if err != nil {
		b.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(data)
	if err != nil {
		b.Fatal(err)
	}
	config.Proxy = on.RESTConfig().Proxy
	return config
}

// prepareProxy binds the user of the benchmark to a role of a cluster.
func prepareProxy(b *testing.B, on *bed.Cluster, role string) {
	b.Helper()
	if err := on.Apply(b.Context(), fmt.Appendf(nil, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bench-proxy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %s}]
`, role, benchUser)); err != nil {
		b.Fatal(err)
	}
}
