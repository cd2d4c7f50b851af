// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// load reads and writes through the host, and dials KSIT anew all the time as the
// host would, until its end is waited for. Each failure counts.
type load struct {
	world                *world
	stop                 context.CancelFunc
	done                 sync.WaitGroup
	reads, writes, dials atomic.Int64

	mu       sync.Mutex
	failures []error
}

func (w *world) startLoad(run *bed.KSIT) *load {
	w.Helper()
	const ns = "load"
	_, err := w.kube.CoreV1().Namespaces().Create(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
	config := rest.CopyConfig(w.bed.Host.RESTConfig())
	config.QPS = -1
	// The client would hide failures after which it tries again.
	ctx, stop := context.WithCancel(w.Context())
	l := &load{world: w, stop: stop}
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper { return &witness{inner: inner, load: l} })
	client, err := versioned.NewForConfig(config)
	if err != nil {
		w.Fatal(err)
	}
	targets := client.KsitV1alpha1().IntegrationTargets(ns)
	_, err = targets.Create(w.Context(), &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Name: "nobody"},
		Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: "nobody", KubeconfigSecret: "nobody"},
	}, metav1.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
	address, err := url.Parse(run.URL)
	if err != nil {
		w.Fatal(err)
	}

	for range 2 {
		l.repeat(ctx, &l.reads, func() error {
			_, err := targets.List(ctx, metav1.ListOptions{})
			return err
		})
	}
	l.repeat(ctx, &l.writes, func() error {
		return retry.RetryOnConflict(retry.DefaultRetry, func() error {
			target, err := targets.Get(ctx, "nobody", metav1.GetOptions{})
			if err != nil {
				return err
			}
			target.Annotations = map[string]string{"n": fmt.Sprint(l.writes.Load())}
			_, err = targets.Update(ctx, target, metav1.UpdateOptions{})
			return err
		})
	})
	l.repeat(ctx, &l.dials, func() error {
		bundle, err := w.bundle(ctx)
		if err != nil {
			return err
		}
		return dial(ctx, address.Host, bundle)
	})
	return l
}

func (l *load) repeat(ctx context.Context, count *atomic.Int64, do func() error) {
	l.done.Go(func() {
		for ctx.Err() == nil {
			err := do()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				l.fail(err)
			}
			count.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Errorf("%s: %w", time.Now().Format(time.TimeOnly), err))
}

// witness counts answers that say that the server failed.
type witness struct {
	inner http.RoundTripper
	load  *load
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.inner.RoundTrip(request)
	if err == nil && (response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests) {
		w.load.fail(fmt.Errorf("%s %s: %s", request.Method, request.URL.Path, response.Status))
	}
	return response, err
}

// end stops the load and fails the test where a request has failed.
func (l *load) end() {
	l.world.Helper()
	l.stop()
	l.done.Wait()
	l.world.Logf("%d reads, %d writes, %d new connections", l.reads.Load(), l.writes.Load(), l.dials.Load())
	if l.reads.Load() == 0 || l.writes.Load() == 0 || l.dials.Load() == 0 {
		l.world.Error("there was no load")
	}
	if len(l.failures) > 0 {
		l.world.Errorf("%d requests failed, the first of them: %v", len(l.failures), errors.Join(l.failures[:min(5, len(l.failures))]...))
	}
}

// dial makes a connection to KSIT as the host does.
func dial(ctx context.Context, address string, bundle []byte) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 30 * time.Second},
		Config:    &tls.Config{RootCAs: roots, ServerName: "ksit-apiserver.ksit-system.svc", MinVersion: tls.VersionTLS12},
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("dialing KSIT: %w", err)
	}
	return conn.Close()
}

func parse(certPEM []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it is no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
