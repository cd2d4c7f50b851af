// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"ksit.io/ksit/test/bed/internal/pki"
)

// podNetwork answers for the pods of a target. An API server connects to pods
// when it proxies a request to a Service, a pod or a node, and when it calls a
// webhook. The pods here are only claimed to run, and their addresses lead
// nowhere: each such connection would hang until it times out. So the API
// server is told to make all of them through a proxy, and this is the proxy.
// It accepts every connection and answers every request with 200 and "ok", as
// a healthy pod answers a probe, over TLS if the client begins with that.
//
// A webhook thereby fails at once, because nobody here has a certificate of the
// authority that its configuration names: one whose failure policy is Ignore is
// passed over, and one whose policy is Fail refuses, as it would if its pods
// were defective.
type podNetwork struct {
	proxy   *http.Server
	plain   *handover
	secure  *handover
	servers []*http.Server
	answer  atomic.Pointer[http.Handler]
}

// AnswerForPods makes handler answer what the target's API server sends to
// pods, Services and nodes; nil restores the answer "ok" to everything.
// PodAddress tells whom a request was meant for.
func (c *Cluster) AnswerForPods(handler http.Handler) {
	if handler == nil {
		handler = http.HandlerFunc(answerOK)
	}
	c.network.answer.Store(&handler)
}

type podAddressKey struct{}

// PodAddress returns the address, with the port, that a request answered by
// AnswerForPods was sent to: a pod's, a node's, or for webhooks a Service's.
func PodAddress(ctx context.Context) string {
	address, _ := ctx.Value(podAddressKey{}).(string)
	return address
}

func answerOK(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/containerLogs/") {
		fmt.Fprintln(w, "This pod is played by kwok. It has no processes and so no log.")
		return
	}
	fmt.Fprintln(w, "ok")
}

// startPodNetwork starts the cluster's pod network and returns the path of the
// configuration that leads its API server there. The two speak TLS because the
// API server, for all that its documentation says, crashes over a plain address.
func (c *Cluster) startPodNetwork() (string, error) {
	address, err := c.bed.listenAddress()
	if err != nil {
		return "", err
	}
	serving, err := tls.LoadX509KeyPair(c.file("apiserver.crt"), c.file("apiserver.key"))
	if err != nil {
		return "", fmt.Errorf("reading the pod network's certificate: %w", err)
	}
	listener, err := tls.Listen("tcp", address.String(), &tls.Config{
		Certificates: []tls.Certificate{serving},
		MinVersion:   tls.VersionTLS12,
	})
	if err != nil {
		return "", fmt.Errorf("listening for the pod network: %w", err)
	}
	c.network, err = newPodNetwork(listener)
	if err != nil {
		_ = listener.Close()
		return "", err
	}
	c.AnswerForPods(nil)
	config := fmt.Sprintf(`apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      tcp:
        url: https://%s
        tlsConfig:
          caBundle: %s
          clientCert: %s
          clientKey: %s
`, address, c.file("ca.crt"), c.file("front-proxy.crt"), c.file("front-proxy.key"))
	path := c.file("egress.yaml")
	return path, os.WriteFile(path, []byte(config), 0o600)
}

func newPodNetwork(listener net.Listener) (*podNetwork, error) {
	authority, err := pki.NewAuthority("pods")
	if err != nil {
		return nil, err
	}
	pair, err := authority.Server("pod")
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, err
	}
	n := &podNetwork{plain: newHandover(listener.Addr()), secure: newHandover(listener.Addr())}
	pods := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*n.answer.Load()).ServeHTTP(w, r) })
	n.proxy = quiet(http.HandlerFunc(n.connect))
	go func() { _ = n.proxy.Serve(listener) }() // Ends with close.

	plain, secure := quiet(pods), quiet(pods)
	secure.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	go func() { _ = plain.Serve(n.plain) }()
	go func() { _ = secure.ServeTLS(n.secure, "", "") }()
	n.servers = []*http.Server{plain, secure}
	return n, nil
}

// quiet returns a server that does not print the failed handshakes of webhooks.
func quiet(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if secure, ok := conn.(*tls.Conn); ok {
				conn = secure.NetConn()
			}
			if tunnel, ok := conn.(*tunnel); ok {
				return context.WithValue(ctx, podAddressKey{}, tunnel.destination)
			}
			return ctx
		},
	}
}

// connect accepts a connection to anywhere and hands it to the server that
// speaks what the client speaks, which its first byte tells.
func (n *podNetwork) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served here", http.StatusMethodNotAllowed)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	t := &tunnel{Conn: conn, reader: buffered.Reader, destination: r.RequestURI}
	// A client that connects and stays silent only wants to know that it could.
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	first, err := t.reader.Peek(1)
	if err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	const tlsHandshake = 0x16
	if first[0] == tlsHandshake {
		n.secure.pass(t)
	} else {
		n.plain.pass(t)
	}
}

func (n *podNetwork) close() {
	_ = n.proxy.Close()
	for _, server := range n.servers {
		_ = server.Close()
	}
}

// tunnel is a connection through the proxy.
type tunnel struct {
	net.Conn
	reader      *bufio.Reader
	destination string
}

func (t *tunnel) Read(p []byte) (int, error) { return t.reader.Read(p) }

// handover is a listener whose connections are passed to it.
type handover struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	isDone  atomic.Bool
}

func newHandover(address net.Addr) *handover {
	return &handover{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) pass(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		_ = conn.Close()
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	if h.isDone.CompareAndSwap(false, true) {
		close(h.closed)
	}
	return nil
}

func (h *handover) Addr() net.Addr { return h.address }
