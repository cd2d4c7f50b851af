// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package check asks a host cluster, as any client does, whether it serves KSIT's
// API and whether KSIT takes what is written. It changes nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// ErrFailed is returned when a step failed, which the report has said.
var ErrFailed = errors.New("KSIT does not work as it should")

// retryPeriod is the time between two tries of a step.
const retryPeriod = time.Second

// requestTimeout bounds a single request, so that a connection on which nothing
// comes back is tried anew.
const requestTimeout = 15 * time.Second

// Options say what is checked.
type Options struct {
	// Host is the cluster that KSIT is registered with, and as whom it is asked.
	Host *rest.Config
	// Namespace is where Integrations are listed, and one is made for a try.
	Namespace string
	// Timeout is how long is waited for all to be well, such as after an install.
	Timeout time.Duration
	// Report is told the outcome of each step, and what to do where one failed.
	Report io.Writer
}

// step is one question to the cluster.
type step struct {
	// name says what is asked, in the words that follow a failure.
	name string
	// ask returns what is well. It is tried again while its error is one that
	// passes.
	ask func(context.Context) (string, error)
}

// Run asks one thing after the other and stops at the first that is not well: what
// follows would fail for the same reason. It returns ErrFailed then.
func Run(ctx context.Context, o Options) error {
	asker, err := newAsker(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	for _, s := range asker.steps() {
		found, err := patiently(ctx, s.ask)
		if err != nil {
			_, writeErr := fmt.Fprintf(o.Report, "✗ %s: %v\n  → %s\n", s.name, err, asker.advice(err))
			return errors.Join(ErrFailed, writeErr)
		}
		if _, err := fmt.Fprintf(o.Report, "✓ %s\n", found); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}

// patiently asks until it is well, cannot become so by waiting, or the time is
// up. It returns the last error then, which says more than that time is up.
func patiently(ctx context.Context, ask func(context.Context) (string, error)) (string, error) {
	var last error
	for {
		found, err := ask(ctx)
		switch {
		case err == nil:
			return found, nil
		case last == nil || ctx.Err() == nil:
			last = err
		}
		if lasts(err) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", last
		case <-time.After(retryPeriod):
		}
	}
}

// asker has the clients.
type asker struct {
	namespace string
	dynamic   dynamic.Interface
	discovery discovery.DiscoveryInterface
	ksit      versioned.Interface
}

func newAsker(o Options) (*asker, error) {
	config := rest.CopyConfig(o.Host)
	config.Timeout = requestTimeout
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the host cluster: %w", err)
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the host cluster: %w", err)
	}
	ksit, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API ksit.io of the host cluster: %w", err)
	}
	return &asker{namespace: o.Namespace, dynamic: dynamicClient, discovery: discoveryClient, ksit: ksit}, nil
}
