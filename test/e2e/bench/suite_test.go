// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bench measures KSIT beside what it is to be compared with, on the
// same machine and in the same run: its API beside a CRD of the same shape, its
// installs beside those of Helm. The figures that matter are the ratios.
//
// Each benchmark brings up a bed of its own and takes much longer than a second,
// so that it runs once, whatever -benchtime. Without -bench there is nothing
// here to run.
package bench

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// system is the namespace of the host that KSIT runs in.
const system = "ksit-system"

// artifacts is the directory of the manifests that a host cluster gets.
const artifacts = "../../../artifacts/deploy"

// eventually bounds what hangs; it is far above what anything here takes.
const eventually = 10 * time.Minute

// newBed brings up a bed that lasts as long as the benchmark.
func newBed(b *testing.B, options bed.Options) *bed.Bed {
	b.Helper()
	if testing.Verbose() {
		options.Log = os.Stderr
	}
	up, err := bed.Up(b.Context(), options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := up.Close(); err != nil {
			b.Error(err)
		}
	})
	return up
}

// startServer runs KSIT in one process and registers it with the host.
func startServer(b *testing.B, on *bed.Bed, args ...string) *bed.KSIT {
	b.Helper()
	run, err := on.StartKSIT(b.Context(), bed.KSITOptions{
		Binary:    binary(b),
		Artifacts: artifacts,
		Args:      args,
	})
	if err != nil {
		b.Fatal(err)
	}
	return run
}

// startAPIServer runs KSIT's API server alone, as a process without controllers
// that react to what is written. Its etcd is a process as well, with the options
// of the host's own: neither waits for the disk.
func startAPIServer(b *testing.B, on *bed.Bed) *bed.KSIT {
	b.Helper()
	etcd, err := on.StartEtcd(b.Context(), "ksit-etcd")
	if err != nil {
		b.Fatal(err)
	}
	run, err := on.StartKSIT(b.Context(), bed.KSITOptions{
		Binary:    binary(b),
		Artifacts: artifacts,
		Command:   "apiserver",
		Args:      []string{"--etcd-servers=" + etcd},
	})
	if err != nil {
		b.Fatal(err)
	}
	return run
}

// directConfig leads an administrator of the host to KSIT itself.
func directConfig(on *bed.Bed, run *bed.KSIT) *rest.Config {
	config := on.Host.RESTConfig()
	config.Host = run.URL
	config.CAData = run.Cert.CAPEM
	return config
}

func ksitClient(b *testing.B, on *bed.Bed) versioned.Interface {
	b.Helper()
	client, err := versioned.NewForConfig(on.Host.RESTConfig())
	if err != nil {
		b.Fatal(err)
	}
	return client
}

func binary(b *testing.B) string {
	b.Helper()
	path := os.Getenv("KSIT")
	if path == "" {
		b.Fatal("KSIT must be the path of the binary: run make bench")
	}
	return path
}

// reportLoad adds the machine's load to the figures: above the number of its
// processors they say more about the others on it than about KSIT. It also keeps
// the time of the whole, which nobody asked for, out of them.
func reportLoad(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return // Not Linux.
	}
	if load, err := strconv.ParseFloat(strings.Fields(string(data))[0], 64); err == nil {
		b.ReportMetric(load, "load")
	}
}
