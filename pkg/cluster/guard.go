// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// maxResponseBytes bounds an answer of a target, decompressed. Lists are read
	// page by page or as metadata only, and stay far below.
	maxResponseBytes = 64 << 20
	// maxDiscoveryBytes bounds what a target says that it serves: some ten times
	// what the largest fleets of CRDs make of it.
	maxDiscoveryBytes = 16 << 20
	// maxHeaderBytes bounds the header of an answer.
	maxHeaderBytes = 1 << 20
)

var (
	errRedirect    = errors.New("the API server redirects, which is not followed")
	errTooMuchSaid = errors.New("the API server answers with more than is read")
)

// guard stands between all clients and the network. An API server is whatever a
// kubeconfig names:
//
//   - it redirects nowhere. The clients would take the token along, as they do
//     not know it, to a host that no kubeconfig names, an upgrade included;
//   - it cannot fill the memory with an answer, however small that is on the wire.
//     A stream, of a watch or a log, is read piece by piece and has no bound.
type guard struct {
	next http.RoundTripper
	// response and discovery are the bounds.
	response, discovery int64
}

var _ utilnet.RoundTripperWrapper = (*guard)(nil)

func newGuard(next http.RoundTripper) *guard {
	return &guard{next: next, response: maxResponseBytes, discovery: maxDiscoveryBytes}
}

func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := g.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 3 && response.StatusCode != http.StatusNotModified {
		response.Body.Close()
		return nil, errRedirect
	}
	if response.StatusCode == http.StatusSwitchingProtocols || isStream(request) {
		return response, nil
	}
	limit := g.response
	if strings.HasSuffix(request.URL.Path, "/api") || strings.HasSuffix(request.URL.Path, "/apis") {
		limit = g.discovery
	}
	if response.ContentLength > limit {
		response.Body.Close()
		return nil, fmt.Errorf("%w: %d bytes", errTooMuchSaid, response.ContentLength)
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: limit}
	return response, nil
}

// WrappedRoundTripper leads libraries to the transport itself.
func (g *guard) WrappedRoundTripper() http.RoundTripper { return g.next }

// isStream tells whether an answer has no end by its nature.
func isStream(request *http.Request) bool {
	query := request.URL.Query()
	for _, key := range []string{"watch", "follow"} {
		if v := query.Get(key); v == "true" || v == "1" {
			return true
		}
	}
	return false
}

// boundedBody fails where there is more than is left.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	// One byte more tells a body that ends here from one that goes on.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooMuchSaid
	}
	return n, err
}
