// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	restclient "k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
)

// Options bound what goes on at once.
type Options struct {
	// PerTarget is how many requests are passed on to one target at once, watches
	// and sessions included. Default: 1000.
	PerTarget int
	// PerCaller is how many of them are one user's. Default: 300.
	PerCaller int
}

// Proxy passes requests on to targets. Its methods are safe for concurrent use.
type Proxy struct {
	connector Connector
	answers   answers
	gate      *gate
	buffers   buffers
	running   *running
}

// New returns a Proxy that connects by the connector.
func New(connector Connector, options Options) *Proxy {
	if options.PerTarget <= 0 {
		options.PerTarget = 1000
	}
	if options.PerCaller <= 0 {
		options.PerCaller = 300
	}
	return &Proxy{
		connector: newRecent(connector),
		answers:   newAnswers(),
		gate:      newGate(options.PerTarget, options.PerCaller),
		running:   newRunning(),
	}
}

// Connect returns what passes one request on to path on the API server of the
// target, as the user of ctx. What it returns may be used once. Errors, those
// of later as well, are of the API.
func (p *Proxy) Connect(ctx context.Context, target *v1alpha1.IntegrationTarget, path string, responder rest.Responder) (http.Handler, error) {
	name := types.NamespacedName{Namespace: target.Namespace, Name: target.Name}
	caller, found := genericapirequest.UserFrom(ctx)
	if !found {
		caller = &user.DefaultInfo{}
	}
	as, err := identity(caller)
	if err != nil {
		return nil, forbidden(name, err)
	}
	connection, err := p.connector.Connect(ctx, target)
	if err != nil {
		return nil, err
	}
	transport, err := connection.ActAs(as)
	if err != nil {
		return nil, forbidden(name, fmt.Errorf("a user cannot be passed on as he is: %w", err))
	}
	return &passage{
		proxy: p, target: name, as: as, path: path,
		connection: connection, transport: transport, responder: responder,
	}, nil
}

// Stop refuses further requests, and ends those that are being passed on when
// they do not end within a moment. Without it watches would hold up the stop of
// the server for as long as they like.
func (p *Proxy) Stop() { p.running.stop() }

// passage is one request on its way.
type passage struct {
	proxy      *Proxy
	target     types.NamespacedName
	as         restclient.ImpersonationConfig
	path       string
	connection *cluster.Connection
	transport  http.RoundTripper
	responder  rest.Responder
}

// ServeHTTP implements http.Handler.
func (g *passage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	where, err := location(g.connection.Info().Endpoint, g.path, r.URL)
	if err != nil {
		g.responder.Error(apierrors.NewBadRequest(fmt.Sprintf("not passed on to IntegrationTarget %s: %v", g.target, err)))
		return
	}
	where.RawQuery = r.URL.RawQuery
	leave, ok := g.proxy.gate.enter(g.target, g.as.UserName)
	if !ok {
		g.responder.Error(apierrors.NewTooManyRequests(fmt.Sprintf("too many requests are being passed on to IntegrationTarget %s, or too many of yours", g.target), 1))
		return
	}
	defer leave()
	ctx, done, ok := g.proxy.running.begin(r.Context())
	if !ok {
		g.responder.Error(apierrors.NewServiceUnavailable("this server is about to stop"))
		return
	}
	defer done()
	defer func() {
		// The reverse proxy cuts an answer short by this panic. When nobody is
		// there to see it, it would only be a line in the log.
		if p := recover(); p != nil && (p != http.ErrAbortHandler || r.Context().Err() == nil) {
			panic(p)
		}
	}()
	g.reverse(ctx, where).ServeHTTP(w, r.WithContext(ctx))
}

// reverse makes the library's proxy. It drops the headers that concern one hop
// before Rewrite, so that none of what is set there can be named in Connection.
func (g *passage) reverse(ctx context.Context, where *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL, r.Out.Host, r.Out.Trailer = where, "", nil
			outbound(r.Out.Header, r.In)
		},
		Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
			// The reverse proxy would pass on interim answers with whatever
			// headers they have; so it is not told of them.
			response, err := g.transport.RoundTrip(request.WithContext(ctx))
			if err != nil {
				return nil, err
			}
			// A copy: trailers that come after the body stay with the original.
			without := *response
			without.Trailer = nil
			return &without, nil
		}),
		ModifyResponse: func(response *http.Response) error {
			if err := g.proxy.answers.check(g.target, g.as, response); err != nil {
				return err
			}
			inbound(response.Header)
			return nil
		},
		ErrorHandler: g.fail,
		ErrorLog:     log.New(io.Discard, "", 0),
		BufferPool:   &g.proxy.buffers,
	}
}

// fail answers a request that has no answer yet.
func (g *passage) fail(_ http.ResponseWriter, r *http.Request, err error) {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		g.responder.Error(status)
		return
	}
	if r.Context().Err() != nil {
		// The caller is gone, or the server is stopping.
		g.responder.Error(apierrors.NewServiceUnavailable("the request was ended"))
		return
	}
	g.responder.Error(apierrors.NewServiceUnavailable(fmt.Sprintf("IntegrationTarget %s cannot be reached: %s", g.target, g.connection.Explain(err).Message)))
}

func forbidden(target types.NamespacedName, err error) error {
	return apierrors.NewForbidden(ksit.Resource("integrationtargets/proxy"), target.Name, err)
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// buffers lends the buffers that answers are copied with.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return new([bufferSize]byte)[:]
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
