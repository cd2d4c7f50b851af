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
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// system is the namespace of the host that KSIT runs in.
const system = "ksit-system"

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
		Artifacts: filepath.Join("..", "..", "..", "artifacts", "deploy"),
		Args:      args,
	})
	if err != nil {
		b.Fatal(err)
	}
	return run
}

// startAPIServer runs KSIT's API server alone, as a process without controllers
// that react to what is written. Its etcd is a process as well, with the options
// of the host's own: neither waits for the disk. Of the KSIT that is returned the
// Process is not the one that runs.
func startAPIServer(b *testing.B, on *bed.Bed) *bed.KSIT {
	b.Helper()
	client, peer := freeAddress(b), freeAddress(b)
	etcd := on.NewProcess(bed.ProcessSpec{
		Name: "ksit-etcd",
		Path: on.Tools.Etcd,
		Args: []string{
			"--data-dir=" + filepath.Join(on.Dir, "ksit-etcd"),
			"--listen-client-urls=http://" + client,
			"--advertise-client-urls=http://" + client,
			"--listen-peer-urls=http://" + peer,
			"--initial-advertise-peer-urls=http://" + peer,
			"--initial-cluster=default=http://" + peer,
			"--unsafe-no-fsync",
		},
	})
	if err := etcd.Start(); err != nil {
		b.Fatal(err)
	}
	if err := poll(b.Context(), time.Minute, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", client)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		b.Fatalf("waiting for the etcd of KSIT: %v", err)
	}

	// The whole server is registered first, and then replaced, at the same
	// address, by the API server alone.
	run := startServer(b, on, "--etcd-servers=http://"+client)
	run.Process.Kill()
	alone := on.NewProcess(bed.ProcessSpec{
		Name: "ksit-apiserver",
		Path: binary(b),
		Dir:  on.Dir,
		Args: []string{
			"apiserver",
			"--kubeconfig=" + run.Kubeconfig,
			"--bind-address=127.0.0.1",
			"--secure-port=" + run.URL[strings.LastIndex(run.URL, ":")+1:],
			"--tls-cert-file=" + run.Cert.Cert,
			"--tls-private-key-file=" + run.Cert.Key,
			"--etcd-servers=http://" + client,
		},
	})
	if err := alone.Start(); err != nil {
		b.Fatal(err)
	}
	waitServed(b, on, run, alone)
	return run
}

// waitServed waits until KSIT says that it is ready and the host serves its API.
func waitServed(b *testing.B, on *bed.Bed, run *bed.KSIT, process *bed.Process) {
	b.Helper()
	direct, err := rest.HTTPClientFor(directConfig(on, run))
	if err != nil {
		b.Fatal(err)
	}
	aggregated := ksitClient(b, on)
	if err := poll(b.Context(), 2*time.Minute, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, run.URL+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := direct.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		_, err = aggregated.KsitV1alpha1().Integrations(system).List(ctx, metav1.ListOptions{})
		return err
	}); err != nil {
		b.Fatalf("waiting for KSIT: %v\n%s", err, process.LogTail(20))
	}
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

func freeAddress(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// poll calls try until it succeeds, and returns its last error if it never does.
func poll(ctx context.Context, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", timeout, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
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
