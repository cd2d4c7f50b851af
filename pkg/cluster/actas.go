// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"
)

// websocketBearer begins the name of a WebSocket subprotocol that is no protocol
// but a bearer token: browsers cannot set the header.
const websocketBearer = "base64url.bearer.authorization.k8s.io."

// ErrElsewhere is what a RoundTripper of ActAs returns for a request that is not
// to the server of the kubeconfig, below the path that is given there.
var ErrElsewhere = errors.New("the request is not to the API server of the kubeconfig")

// ActAs returns what sends requests to the target as somebody else: with the
// credentials of the kubeconfig, and in each request the wish to impersonate
// the user. There is no way to send one by it without. What a request says
// itself of who sends it is dropped. Requests that change the protocol are sent
// by HTTP/1.1.
//
// The error says which part of the user cannot be said in a header as it is:
// such a user would be somebody else on the target.
func (c *Connection) ActAs(user rest.ImpersonationConfig) (http.RoundTripper, error) {
	headers, err := impersonationHeaders(user)
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(c.info.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("parsing the URL of the API server of %s: %w", c.name, err)
	}
	return &impersonator{endpoint: endpoint, headers: headers, relay: c.Base().relay}, nil
}

type impersonator struct {
	endpoint *url.URL
	headers  http.Header
	relay    *relay
}

// RoundTrip implements http.RoundTripper.
func (i *impersonator) RoundTrip(request *http.Request) (*http.Response, error) {
	if !i.isBelow(request.URL) {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, ErrElsewhere
	}
	request = request.Clone(request.Context())
	request.Host = ""
	// A server might take trailers for headers.
	request.Trailer = nil
	upgrades := request.Header.Get("Upgrade") != ""
	DropIdentity(request.Header)
	// A header that is named in Connection is dropped by whatever is on the way.
	request.Header.Del("Connection")
	if upgrades {
		request.Header.Set("Connection", "Upgrade")
	}
	for name, values := range i.headers {
		request.Header[name] = slices.Clone(values)
	}
	if upgrades {
		return i.relay.upgrades.RoundTrip(request)
	}
	return i.relay.plain.RoundTrip(request)
}

func (i *impersonator) isBelow(u *url.URL) bool {
	return u.Scheme == i.endpoint.Scheme && u.Host == i.endpoint.Host && u.User == nil && u.Opaque == "" &&
		strings.HasPrefix(u.EscapedPath(), i.endpoint.EscapedPath()+"/")
}

// DropIdentity removes from the headers of a request all that a server might
// take for the identity of who sends it, or for his credentials. Names are
// compared as the laxest of servers would: in any case, and with an underscore
// for a hyphen.
func DropIdentity(header http.Header) {
	for name := range header {
		folded := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
		switch folded {
		case "authorization", "cookie", "cookie2":
			delete(header, name)
			continue
		}
		for _, family := range []string{"impersonate-", "x-remote-", "proxy-"} {
			if strings.HasPrefix(folded, family) {
				delete(header, name)
			}
		}
	}
	dropWebsocketBearer(header)
}

func dropWebsocketBearer(header http.Header) {
	const name = "Sec-Websocket-Protocol"
	var kept []string
	for _, line := range header[name] {
		for protocol := range strings.SplitSeq(line, ",") {
			protocol = strings.TrimSpace(protocol)
			if protocol != "" && !strings.HasPrefix(strings.ToLower(protocol), websocketBearer) {
				kept = append(kept, protocol)
			}
		}
	}
	header.Del(name)
	if len(kept) > 0 {
		header.Set(name, strings.Join(kept, ", "))
	}
}

// impersonationHeaders says in headers who the user is.
func impersonationHeaders(user rest.ImpersonationConfig) (http.Header, error) {
	headers := http.Header{}
	add := func(what, name, value string) error {
		switch {
		case value == "":
			return fmt.Errorf("%s is empty", what)
		case !headerSafe(value, true), strings.TrimSpace(value) != value:
			return fmt.Errorf("%s holds control characters, or begins or ends with a blank", what)
		}
		headers.Add(name, value)
		return nil
	}
	if err := add("the user name", authenticationv1.ImpersonateUserHeader, user.UserName); err != nil {
		return nil, err
	}
	if user.UID != "" {
		if err := add("the UID", authenticationv1.ImpersonateUIDHeader, user.UID); err != nil {
			return nil, err
		}
	}
	for _, group := range user.Groups {
		if err := add("the name of a group", authenticationv1.ImpersonateGroupHeader, group); err != nil {
			return nil, err
		}
	}
	for key, values := range user.Extra {
		if key == "" {
			return nil, errors.New("a key of the extra fields is empty")
		}
		for _, value := range values {
			if err := add("an extra field", authenticationv1.ImpersonateUserExtraHeaderPrefix+escapeKey(key), value); err != nil {
				return nil, err
			}
		}
	}
	return headers, nil
}

// escapeKey makes the key of an extra field part of a header's name. The target
// turns the name to lower case and then undoes the escapes, so that escapes
// keep what is not lower case.
func escapeKey(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
