// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/test/env"
)

// TestAPIServerOutlivesItsEtcd takes the etcd of its own process away from an API
// server, and gives it back.
func TestAPIServerOutlivesItsEtcd(t *testing.T) {
	host := env.Start(t, env.Options{})
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, host.Kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	client, peer, api := env.FreeAddress(t), env.FreeAddress(t), env.FreeAddress(t)
	etcdArgs := []string{
		"--data-dir=" + filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls=http://" + client, "--advertise-client-urls=http://" + client,
		"--listen-peer-urls=http://" + peer, "--initial-advertise-peer-urls=http://" + peer, "--initial-cluster=default=http://" + peer,
	}
	etcd := startProgram(t, "etcd", etcdArgs...)
	_, port, _ := net.SplitHostPort(api)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	command := NewCommand()
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs([]string{"apiserver", "--kubeconfig=" + kubeconfig, "--etcd-servers=http://" + client, "--bind-address=127.0.0.1", "--secure-port=" + port})
	command.SetContext(ctx)
	go func() { ended <- command.Execute() }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the API server ended with %v", err)
		}
	})
	probe := func(path string) error { return ask(t, "https://"+api+path) }

	within(t, "readiness", func() error { return probe("/readyz") })
	_ = etcd.Process.Kill()
	_ = etcd.Wait() // it was killed
	within(t, "redness without etcd", func() error {
		if probe("/readyz") == nil {
			return errors.New("/readyz is green")
		}
		return nil
	})
	if err := probe("/livez?exclude=etcd"); err != nil {
		t.Error(err)
	}
	startProgram(t, "etcd", etcdArgs...)
	within(t, "readiness with etcd back", func() error { return probe("/readyz") })
}

// TestHalfMigrationIsRefused has an API server find what a migration left that was
// killed.
func TestHalfMigrationIsRefused(t *testing.T) {
	connection, err := endpoint.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	members := endpoint.Options{Servers: connection.Endpoints()}
	if err := refuseHalf(t.Context(), members, "/registry"); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Put(t.Context(), "/registry/ksit.io-migration", ""); err != nil {
		t.Fatal(err)
	}
	if err := refuseHalf(t.Context(), members, "/registry"); err == nil || !strings.Contains(err.Error(), "did not come to its end") {
		t.Errorf("refuseHalf() = %v", err)
	}
}

func startProgram(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), env.Bin(t, name), args...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait() // it was killed
	})
	return command
}

// ask wants the answer 200. The certificate was made in the memory of the server.
func ask(t *testing.T, url string) error {
	t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // see above
	}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s", url, response.Status)
	}
	return nil
}

// within waits for what must come, and says how long it took.
func within(t *testing.T, what string, check func() error) {
	t.Helper()
	start := time.Now()
	for {
		err := check()
		if err == nil {
			t.Logf("%s after %s", what, time.Since(start).Round(10*time.Millisecond))
			return
		}
		if time.Since(start) > 90*time.Second {
			t.Fatalf("%s did not come: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
