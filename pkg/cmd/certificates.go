// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"

	"ksit.io/ksit/pkg/certificates"
	"ksit.io/ksit/pkg/cmd/options"
)

// certificateTimeout is how long a process waits at its start for the
// certificate that it is to serve with. It is less than what the probes of the
// manifests allow for a start.
const certificateTimeout = 90 * time.Second

func newCertificateMetrics() (*certificates.Metrics, error) {
	m := certificates.NewMetrics()
	return m, m.Register(legacyregistry.Register)
}

// newCertificateKeeper returns what keeps KSIT's own certificates until its
// context is done; nil where somebody else does.
func newCertificateKeeper(host *rest.Config, o *options.Certificates, serving *options.ServingSecret, metrics *certificates.Metrics) (func(context.Context), error) {
	if !o.Enabled() {
		return nil, nil
	}
	keep, err := o.Options(serving)
	if err != nil {
		return nil, err
	}
	keeper, err := certificates.NewKeeper(host, keep, metrics)
	if err != nil {
		return nil, err
	}
	return keeper.Run, nil
}

// waitForCertificate returns the certificate of a Secret of the host, once there
// is one. The server that is given it follows the Secret.
func waitForCertificate(ctx context.Context, host *rest.Config, o *options.ServingSecret) (*certificates.Provider, error) {
	secret, err := o.Name()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(host)
	if err != nil {
		return nil, fmt.Errorf("making the client of the host cluster: %w", err)
	}
	provider := certificates.NewProvider(client, secret)
	if err := provider.Wait(ctx, certificateTimeout); err != nil {
		return nil, err
	}
	return provider, nil
}

// beside starts work and returns what stops it and waits for its end.
func beside(ctx context.Context, work func(context.Context)) (stop func()) {
	working, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(working)
	}()
	return func() {
		cancel()
		<-done
	}
}
