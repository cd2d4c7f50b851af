// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests KSIT as its users meet it: the binary, registered with a
// real kube-apiserver by the manifests of artifacts, and real API servers to
// install on.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// artifacts is the directory of the manifests that a host cluster gets.
const artifacts = "../../artifacts/deploy"

// suite is what all tests of the package share: a bed, and KSIT on it. Tests
// keep out of each other's way by namespaces. Those that mostly wait run beside
// each other, after the others: they neither stop a program of the bed, nor change
// its nodes, nor have the chart server misbehave, nor look at what KSIT does as a
// whole, and no two of them name a release alike.
type suite struct {
	ctx  context.Context
	bed  *bed.Bed
	run  *bed.KSIT
	ksit versioned.Interface
}

// s is set by TestMain, once, before any test.
var s suite

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	binary := os.Getenv("KSIT")
	if binary == "" {
		return 1, fmt.Errorf("KSIT must be the path of the binary: run make test-e2e")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := bed.Up(ctx, bed.Options{Targets: 3, PrometheusOperator: true, KeepData: os.Getenv("KSIT_KEEP") != "", Log: os.Stderr})
	if err != nil {
		return 1, err
	}
	defer func() {
		if closeErr := b.Close(); closeErr != nil && err == nil {
			code, err = 1, closeErr
		}
	}()
	run, err := b.StartKSIT(ctx, bed.KSITOptions{Binary: binary, Artifacts: artifacts})
	if err != nil {
		return 1, err
	}
	client, err := versioned.NewForConfig(b.Host.RESTConfig())
	if err != nil {
		return 1, err
	}
	s = suite{ctx: ctx, bed: b, run: run, ksit: client}
	code = m.Run()
	if code == 0 {
		err = namespacesGo(ctx, b.Host)
	}
	if code != 0 || err != nil {
		keepLog(run.Process.LogFile())
	}
	return code, err
}

// namespacesGo waits until the namespaces are gone that the tests deleted, with
// all that was in them.
func namespacesGo(ctx context.Context, host *bed.Cluster) error {
	client, err := host.Client()
	if err != nil {
		return err
	}
	var left []string
	if poll(ctx, eventually, func(ctx context.Context) bool {
		list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false
		}
		left = nil
		for _, namespace := range list.Items {
			if namespace.DeletionTimestamp != nil {
				left = append(left, namespace.Name)
			}
		}
		return len(left) == 0
	}) {
		return nil
	}
	return fmt.Errorf("namespaces that do not go: %v", left)
}

// keepLog prints the end of KSIT's log, which goes with the bed.
func keepLog(path string) {
	const most = 60 << 10
	data, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: reading the log of KSIT:", err)
		return
	}
	if len(data) > most {
		data = data[len(data)-most:]
	}
	fmt.Fprintf(os.Stderr, "--- the end of KSIT's log ---\n%s\n--- end ---\n", data)
}

// restart kills KSIT with SIGKILL and starts it again.
func (s *suite) restart(t testing.TB) {
	t.Helper()
	s.run.Process.Kill()
	start := time.Now()
	if err := s.run.Start(t.Context()); err != nil {
		t.Fatalf("starting KSIT again: %v", err)
	}
	t.Logf("KSIT was back after %s", time.Since(start).Round(time.Millisecond))
}

// metrics reads KSIT's own metrics.
func (s *suite) metrics(t testing.TB) string {
	t.Helper()
	return s.get(t, "/metrics")
}

// get asks KSIT itself for a path, as an administrator of the host.
func (s *suite) get(t testing.TB, path string) string {
	t.Helper()
	config := rest.CopyConfig(s.bed.Host.RESTConfig())
	config.Host = s.run.URL
	config.TLSClientConfig.CAData = s.run.Cert.CAPEM
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.run.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, response.Status, err)
	}
	return string(data)
}
