// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	componentmetrics "k8s.io/component-base/metrics"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/metrics"
)

// TestWhileLeading checks that what runs beside the controllers does so although
// the API of KSIT cannot be reached, and is waited for.
func TestWhileLeading(t *testing.T) {
	registered, err := metrics.New(componentmetrics.NewKubeRegistry())
	if err != nil {
		t.Fatal(err)
	}
	nowhere := &rest.Config{Host: "https://127.0.0.1:1"}
	started, ended := make(chan struct{}), make(chan struct{})
	manager, err := New(Config{
		KSIT: nowhere, Host: nowhere, Workers: 1, Metrics: registered,
		Connections: cluster.NewSet(cluster.Options{}),
		Installers:  map[v1alpha1.InstallMethod]installer.Installer{v1alpha1.InstallMethodHelm: resolver{}},
		WhileLeading: func(ctx context.Context) {
			close(started)
			<-ctx.Done()
			close(ended)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx) }()
	select {
	case <-started:
	case <-time.After(time.Minute):
		t.Fatal("it does not run")
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the manager does not end")
	}
	select {
	case <-ended:
	default:
		t.Error("the manager did not wait for it")
	}
}

// resolver is never asked for anything.
type resolver struct {
	installer.Installer
	installer.Resolver
}
