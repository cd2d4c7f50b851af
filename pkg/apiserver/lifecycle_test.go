// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// TestStopWithOpenWatches checks that a stop is not held up by watches, which by
// default take a minute to go.
func TestStopWithOpenWatches(t *testing.T) {
	f := start(t)
	for range 20 {
		watcher, err := f.ksit.KsitV1alpha1().Integrations("").Watch(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Stop()
	}
	begin := time.Now()
	f.stop()
	select {
	case <-f.stopped:
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not stop")
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if f.err != nil {
		t.Errorf("an orderly stop returned %v", f.err)
	}
}

// TestCompanionStopsBeforeTheAPI checks that what runs beside the API can still
// write when it is told to stop.
func TestCompanionStopsBeforeTheAPI(t *testing.T) {
	t.Parallel()
	lastWrite := make(chan error, 1)
	f := start(t, func(server *apiserver.Server) {
		server.RunBeside("companion", func(ctx context.Context, api *rest.Config) error {
			<-ctx.Done()
			client, err := versioned.NewForConfig(api)
			if err == nil {
				_, err = client.KsitV1alpha1().Integrations("default").Create(
					context.WithoutCancel(ctx), newIntegration("farewell"), metav1.CreateOptions{})
			}
			lastWrite <- err
			return nil
		})
	})
	f.stop()
	<-f.stopped
	if f.err != nil {
		t.Errorf("the server returned %v", f.err)
	}
	select {
	case err := <-lastWrite:
		if err != nil {
			t.Errorf("the last write of the companion failed: %v", err)
		}
	default:
		t.Error("the server stopped before its companion")
	}
}

func TestFailedCompanionStopsTheServer(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fail := make(chan struct{})
	f := start(t, func(server *apiserver.Server) {
		server.RunBeside("companion", func(context.Context, *rest.Config) error {
			<-fail
			return broken
		})
	})
	close(fail)
	select {
	case <-f.stopped:
	case <-time.After(20 * time.Second):
		t.Fatal("the server goes on")
	}
	if !errors.Is(f.err, broken) || !strings.Contains(f.err.Error(), "companion") {
		t.Errorf("the server returned %v", f.err)
	}
}

// TestEtcdOutage pins what the health endpoints say without etcd: not ready, and
// not alive unless a probe excludes etcd, as that of a pod should: a restart of
// the API server does not bring etcd back.
func TestEtcdOutage(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, path := range []string{"/readyz", "/livez", "/livez?exclude=etcd", "/healthz"} {
		if err := f.get(t, path); err != nil {
			t.Errorf("%s with etcd: %v", path, err)
		}
	}
	if err := f.etcd.Close(); err != nil {
		t.Fatal(err)
	}
	mustFail := func(path string) {
		t.Helper()
		f.eventually(t, "failure of "+path, func() error {
			if f.get(t, path) == nil {
				return errors.New("it is green")
			}
			return nil
		})
	}
	mustFail("/readyz")
	mustFail("/livez")
	response := f.raw(t, "/livez?exclude=etcd", nil)
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("/livez?exclude=etcd is %s", response.Status)
	}
}

func TestIncompleteConfigIsRefused(t *testing.T) {
	tests := map[string]struct {
		spoil func(*genericapiserver.RecommendedConfig)
		want  string
	}{
		"no authenticator": {func(c *genericapiserver.RecommendedConfig) { c.Authentication.Authenticator = nil }, "an authenticator is missing"},
		"no authorizer":    {func(c *genericapiserver.RecommendedConfig) { c.Authorization.Authorizer = nil }, "an authorizer is missing"},
		"no storage":       {func(c *genericapiserver.RecommendedConfig) { c.RESTOptionsGetter = nil }, "storage is missing"},
		"no version":       {func(c *genericapiserver.RecommendedConfig) { c.EffectiveVersion = nil }, "the effective version is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t, "unix:///nowhere")
			test.spoil(config.Generic)
			if _, err := config.Complete(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Complete() = %v, want an error with %q", err, test.want)
			}
		})
	}
}
