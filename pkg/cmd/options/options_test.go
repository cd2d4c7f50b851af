// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	cliflag "k8s.io/component-base/cli/flag"
	basecompatibility "k8s.io/component-base/compatibility"
)

// options are the parts of every set of options in this package.
type options interface {
	AddFlags(*cliflag.NamedFlagSets)
	Validate() error
}

func parse(t *testing.T, o options, args ...string) {
	t.Helper()
	var groups cliflag.NamedFlagSets
	o.AddFlags(&groups)
	all := pflag.NewFlagSet(t.Name(), pflag.ContinueOnError)
	for _, name := range groups.Order {
		all.AddFlagSet(groups.FlagSets[name])
	}
	if err := all.Parse(args); err != nil {
		t.Fatal(err)
	}
}

func newRegistry(t *testing.T) basecompatibility.ComponentGlobalsRegistry {
	t.Helper()
	registry := basecompatibility.NewComponentGlobalsRegistry()
	err := registry.Register(basecompatibility.DefaultKubeComponent,
		compatibility.DefaultKubeEffectiveVersionForTest(), utilfeature.DefaultMutableFeatureGate.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func TestValidate(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	directory := t.TempDir()
	tests := map[string]struct {
		options options
		args    []string
		want    []string // parts of the error; none means valid
	}{
		"controllers: defaults": {options: NewControllers()},
		"controllers: no workers": {
			NewControllers(), []string{"--workers=0"}, []string{"--workers is 0, it must be from 1 to 1000"},
		},
		"controllers: everything at once": {
			NewControllers(),
			[]string{"--target-qps=0", "--target-burst=0", "--rewrites-file=" + none, "--charts-dir=" + none},
			[]string{"--target-qps", "--target-burst", "--rewrites-file", "--charts-dir"},
		},
		"controllers: a directory of rewrites": {
			NewControllers(), []string{"--rewrites-file=" + directory}, []string{"is a directory"},
		},
		"controllers: allowed sources": {
			NewControllers(), []string{"--allowed-sources=https://charts.example.com/,oci://ghcr.io/argoproj", "--allowed-sources=*.example.com"}, nil,
		},
		"controllers: allowed sources without a scheme": {
			NewControllers(), []string{"--allowed-sources=charts.example.com/stable"}, []string{"--allowed-sources", "must begin with"},
		},
		"controllers: chart lookup": {NewControllers(), []string{"--chart-lookup=Everything"}, []string{"must be None, Release or All"}},
		"leader election: defaults": {options: NewLeaderElection()},
		"leader election: off":      {NewLeaderElection(), []string{"--leader-elect=false", "--leader-elect-namespace="}, nil},
		"leader election: renews after it lost": {
			NewLeaderElection(), []string{"--leader-elect-lease-duration=5s"}, []string{"must be over --leader-elect-renew-deadline"},
		},
		"leader election: no namespace": {
			NewLeaderElection(), []string{"--leader-elect-namespace="}, []string{"--leader-elect-namespace must be given"},
		},
		"etcd: defaults":   {options: NewEmbeddedEtcd()},
		"etcd: tiny quota": {NewEmbeddedEtcd(), []string{"--etcd-quota=1Mi"}, []string{"--etcd-quota is 1Mi, it must be at least 16Mi"}},
		"etcd: nowhere":    {NewEmbeddedEtcd(), []string{"--data-dir="}, []string{"--data-dir must be given"}},
		"diagnostics: off": {NewDiagnostics(), []string{"--metrics-bind-address=0"}, nil},
		"diagnostics: no port": {
			NewDiagnostics(), []string{"--metrics-bind-address=127.0.0.1"}, []string{"--metrics-bind-address", "host:port"},
		},
		"diagnostics: no address": {
			NewDiagnostics(), []string{"--metrics-bind-address=somewhere:80"}, []string{`"somewhere" is no IP address`},
		},
		"API: no etcd": {NewAPIServer(newRegistry(t)), nil, []string{"--etcd-servers must be specified"}},
		"API: watches hold up the stop": {
			NewAPIServer(newRegistry(t)),
			[]string{"--etcd-servers=http://etcd:2379", "--shutdown-watch-termination-grace-period=0"},
			[]string{"--shutdown-watch-termination-grace-period must be over 0"},
		},
		"API: nothing is passed on": {
			NewAPIServer(newRegistry(t)),
			[]string{"--etcd-servers=http://etcd:2379", "--target-proxy-requests=0", "--target-proxy-user-requests=-1"},
			[]string{"--target-proxy-requests is 0", "--target-proxy-user-requests is -1"},
		},
		"API: ready to go": {NewAPIServer(newRegistry(t)), []string{"--etcd-servers=http://etcd:2379"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			parse(t, test.options, test.args...)
			err := test.options.Validate()
			if len(test.want) == 0 && err != nil {
				t.Fatalf("Validate() = %v", err)
			}
			for _, part := range test.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("Validate() = %v, want an error with %q", err, part)
				}
			}
		})
	}
}

// TestOneKubeconfigServesAll checks that one flag connects everything to the
// host cluster, and that the special flags win.
func TestOneKubeconfigServesAll(t *testing.T) {
	o := NewAPIServer(newRegistry(t))
	parse(t, o, "--kubeconfig=host", "--authorization-kubeconfig=other")
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	got := []string{o.Recommended.Authentication.RemoteKubeConfigFile, o.Recommended.Authorization.RemoteKubeConfigFile}
	if diff := cmp.Diff([]string{"host", "other"}, got); diff != "" {
		t.Errorf("kubeconfigs for authentication and authorization (-want +got):\n%s", diff)
	}
}

func TestServerWithEmbeddedEtcd(t *testing.T) {
	o := NewServer(newRegistry(t))
	parse(t, o, "--data-dir="+t.TempDir())
	if !o.UsesEmbeddedEtcd() {
		t.Fatal("without --etcd-servers etcd is not embedded")
	}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	cert := o.API.Recommended.SecureServing.ServerCert.CertKey.CertFile
	if want := filepath.Join(o.Etcd.DataDir, "certs", "ksit-apiserver.crt"); cert != want {
		t.Errorf("the certificate is %s, want %s", cert, want)
	}
	o.SetEtcdEndpoint("unix:///run/etcd.sock")
	if diff := cmp.Diff([]string{"unix:///run/etcd.sock"}, o.API.Recommended.Etcd.StorageConfig.Transport.ServerList); diff != "" {
		t.Errorf("etcd servers (-want +got):\n%s", diff)
	}
}

// TestStopsWithinTenSeconds adds up what a stop may wait for by default.
func TestStopsWithinTenSeconds(t *testing.T) {
	run := NewAPIServer(newRegistry(t)).ServerRun
	const httpShutdown = 2 * time.Second // of the library, with --shutdown-send-retry-after
	if !run.ShutdownSendRetryAfter {
		t.Error("the HTTP server may take as long as a request to stop")
	}
	if total := run.ShutdownDelayDuration + run.ShutdownWatchTerminationGracePeriod + httpShutdown; total > 9*time.Second {
		t.Errorf("a stop may take %v", total)
	}
}
