// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traffic is what users do to KSIT's API while something is done to KSIT:
// reads, writes and watches that never pause and never try twice. Each request that
// fails is noted; at the end each write that was acknowledged must be there, and each
// watch must have seen it.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// Route is a way to KSIT's API.
type Route struct {
	Name string
	// Host is the URL of what answers.
	Host string
	// Transport makes a transport with connections of its own, which says who the
	// user is and knows whom to trust, now and later.
	Transport func() (*http.Transport, error)
}

const (
	// pause is what a client waits between two requests.
	pause = 100 * time.Millisecond
	// patience bounds a request. Slow is not failed.
	patience = 30 * time.Second
	// renewal is the number of requests after which some clients connect anew.
	renewal = 7
	// resource is what is read and written.
	resource = "integrations"
	// anchor is an object that is always there.
	anchor = "anchor"
)

// Traffic goes on until Stop.
type Traffic struct {
	namespace string
	routes    []Route
	records   records
	ledger    *ledger
	// serial makes names of objects.
	serial atomic.Int64

	stop context.CancelFunc
	wait sync.WaitGroup
	// stopWatches ends the watches, which have to see what was written last.
	stopWatches context.CancelFunc
	watches     sync.WaitGroup
}

// Start starts clients of the routes in a namespace of their own, which must exist:
// for each route two that write, two that read, one of each with new connections now
// and then, and one that watches. It returns when all of it flows.
func Start(ctx context.Context, namespace string, routes ...Route) (*Traffic, error) {
	t := &Traffic{namespace: namespace, routes: routes, ledger: newLedger()}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	watching, stopWatches := context.WithCancel(context.WithoutCancel(ctx))
	t.stop, t.stopWatches = stop, stopWatches
	first, err := newClient(t, routes[0], false)
	if err == nil {
		err = first.create(ctx, anchor)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("creating what clients read: %w", err), t.Stop())
	}
	for _, route := range routes {
		if err := t.watch(watching, route); err != nil {
			return nil, errors.Join(fmt.Errorf("watching by way of the %s: %w", route.Name, err), t.Stop())
		}
		for _, renews := range []bool{false, true} {
			for _, loop := range []func(*client, context.Context){(*client).write, (*client).read} {
				c, err := newClient(t, route, renews)
				if err != nil {
					return nil, errors.Join(err, t.Stop())
				}
				t.wait.Go(func() { loop(c, running) })
			}
		}
	}
	return t, nil
}

// Stop ends all clients.
func (t *Traffic) Stop() error {
	t.stop()
	t.wait.Wait()
	t.stopWatches()
	t.watches.Wait()
	return nil
}

// Finish ends the traffic, and then says what is not as it was acknowledged: objects
// that are lost, older than they should be or back from the dead, and events that a
// watch has not seen.
func (t *Traffic) Finish(ctx context.Context) error {
	t.stop()
	t.wait.Wait()
	defer func() { _ = t.Stop() }()
	c, err := newClient(t, t.routes[0], false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		// Watches may be behind, and what is deleted may be on its way.
		list := &v1alpha1.IntegrationList{}
		err := c.request(c.rest.Get()).Do(ctx).Into(list)
		if err == nil {
			if err = t.ledger.check(list.Items); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Report is of the requests that ended since a moment.
func (t *Traffic) Report(since time.Time) Report { return t.records.report(since) }

// Writes is the number of writes that were acknowledged.
func (t *Traffic) Writes() int { return t.ledger.writes() }

// newRESTClient returns a client of the API by one route.
func newRESTClient(transport *http.Transport, host string) (rest.Interface, error) {
	client, err := versioned.NewForConfigAndClient(&rest.Config{Host: host, QPS: -1}, &http.Client{Transport: transport})
	if err != nil {
		return nil, err
	}
	return client.KsitV1alpha1().RESTClient(), nil
}

// integration is what is written: nothing is installed for it.
func integration(namespace, name string) *v1alpha1.Integration {
	return &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{countKey: "1"}},
		Spec:       v1alpha1.IntegrationSpec{Type: v1alpha1.IntegrationTypeGeneric, Enabled: ptr.To(false), TargetClusters: []string{"nowhere"}},
	}
}
