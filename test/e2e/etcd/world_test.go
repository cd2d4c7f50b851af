// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package etcd tests KSIT on an etcd of several members, as one in production
// is: what happens when members are lost or hang, and the ways in and out of it.
package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

const (
	artifacts = "../../../artifacts/deploy"
	// namespace holds what the tests make.
	namespace = "etcd"
	// eventually bounds every wait for what must come.
	eventually = 3 * time.Minute
)

// world is a bed with an etcd of three members.
type world struct {
	*bed.Bed
	etcd *bed.EtcdCluster
}

func newWorld(t *testing.T, targets int) *world {
	t.Helper()
	if binary() == "" {
		t.Fatal("KSIT must be the path of the binary: run make test-e2e")
	}
	b, err := bed.Up(t.Context(), bed.Options{Targets: targets, Nodes: 1, KeepData: os.Getenv("KSIT_KEEP") != "", Log: os.Stderr})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	etcd, err := b.StartEtcdCluster(t.Context(), bed.EtcdClusterOptions{Name: "ksit-etcd"})
	must(t, err)
	client, err := b.Host.Client()
	must(t, err)
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	must(t, err)
	return &world{Bed: b, etcd: etcd}
}

func binary() string { return os.Getenv("KSIT") }

// server is an API server of KSIT that is asked without going through the host.
type server struct {
	name    string
	url     string
	process *bed.Process
	config  *rest.Config
	ksit    versioned.Interface
}

func (w *world) server(t *testing.T, k *bed.KSIT, url string) *server {
	t.Helper()
	config := w.Host.RESTConfig()
	config.Host = url
	config.CAData = k.Cert.CAPEM
	client, err := versioned.NewForConfig(config)
	must(t, err)
	return &server{name: k.Process.Name(), url: url, process: k.Process, config: config, ksit: client}
}

// startServers starts two API servers on the etcd, of which the host knows the
// first, and two controller managers.
func (w *world) startServers(t *testing.T) []*server {
	t.Helper()
	ctx := t.Context()
	options := bed.KSITOptions{Binary: binary(), Artifacts: artifacts}
	first := options
	first.Command = "apiserver"
	first.Args = append(w.etcd.Flags(), "--rewrites-file="+w.RewritesFile)
	k, err := w.StartKSIT(ctx, first)
	must(t, err)
	port := freePort(t)
	other := k.With("ksit-2", []string{"--secure-port=" + strconv.Itoa(port)}, nil)
	must(t, other.Process.Start())
	servers := []*server{w.server(t, k, k.URL), w.server(t, other, fmt.Sprintf("https://127.0.0.1:%d", port))}
	for _, server := range servers {
		wait(t, server.name+" is ready", func(ctx context.Context) error { return server.health(ctx, "/readyz") })
		keepLog(t, server.process)
	}
	for n := range 2 {
		manager, err := w.ControllerManager(ctx, fmt.Sprintf("controller-manager-%d", n), options)
		must(t, err)
		must(t, manager.Start())
		keepLog(t, manager)
	}
	return servers
}

// health asks a server for a path, and wants the answer 200.
func (s *server) health(ctx context.Context, path string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.config.CAData)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s says %s", s.url, path, response.Status)
	}
	return nil
}

// keepLog prints the end of a log when the test fails: it goes with the bed.
func keepLog(t *testing.T, process *bed.Process) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", process.Name(), process.LogTail(60))
		}
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// wait polls until check returns nil, and returns how long that took.
func wait(t *testing.T, what string, check func(context.Context) error) time.Duration {
	t.Helper()
	start := time.Now()
	if err := poll.Until(t.Context(), eventually, check); err != nil {
		t.Fatalf("it did not come to pass that %s: %v", what, err)
	}
	return time.Since(start)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
