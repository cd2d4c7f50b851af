// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"ksit.io/ksit/pkg/tracing"
)

// recordGrace is what the record of how a release ended may take after the end
// of the operation.
const recordGrace = 5 * time.Second

// boundGetter is a RESTClientGetter all of whose requests end with a context.
// Helm's actions make their requests without one: they return when their
// context ends and go on in the background.
type boundGetter struct {
	genericclioptions.RESTClientGetter
	ctx context.Context
}

func (g *boundGetter) ToRESTConfig() (*rest.Config, error) {
	config, err := g.RESTClientGetter.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	return bind(g.ctx, config), nil
}

func (g *boundGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return &boundLoader{clientLoader: g.RESTClientGetter.ToRawKubeConfigLoader(), ctx: g.ctx}
}

// clientLoader has a name of its own so that it can be embedded next to its
// method ClientConfig.
type clientLoader = clientcmd.ClientConfig

type boundLoader struct {
	clientLoader
	ctx context.Context
}

func (l *boundLoader) ClientConfig() (*rest.Config, error) {
	config, err := l.clientLoader.ClientConfig()
	if err != nil {
		return nil, err
	}
	return bind(l.ctx, config), nil
}

// bind makes what is made from a config end with a context, the wait for the
// rate limiter included.
func bind(ctx context.Context, config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &boundTransport{ctx: ctx, next: next}
	})
	if config.RateLimiter != nil {
		config.RateLimiter = &boundLimiter{RateLimiter: config.RateLimiter, ctx: ctx}
	}
	return config
}

type boundTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip ends when either context does, the reading of the body included.
func (t *boundTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(tracing.Within(request.Context(), t.ctx))
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	release := func() {
		stop()
		cancel(context.Canceled)
	}
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	response.Body = &boundBody{ReadCloser: response.Body, release: sync.OnceFunc(release)}
	return response, nil
}

type boundBody struct {
	io.ReadCloser
	release func()
}

func (b *boundBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

type boundLimiter struct {
	flowcontrol.RateLimiter
	ctx context.Context
}

func (l *boundLimiter) Wait(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })()
	return l.RateLimiter.Wait(ctx)
}

// outlive returns a context that ends some time after ctx does. The caller must
// call stop.
func outlive(ctx context.Context, grace time.Duration) (after context.Context, stop context.CancelFunc) {
	after, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unregister := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-after.Done():
		}
		cancel()
	})
	return after, func() {
		unregister()
		cancel()
	}
}
