// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/websocket"
	restclient "k8s.io/client-go/rest"
	spdyclient "k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// echo is a target that speaks, by the same handlers as the kubelet, SPDY and
// WebSocket, and says on each stream what it hears there.
func echo(seen *atomic.Pointer[http.Header]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone()
		seen.Store(&header)
		w.Header().Set("Set-Cookie", "a=b")
		if wsstream.IsWebSocketRequest(r) {
			conn := wsstream.NewConn(wsstream.NewDefaultChannelProtocols([]wsstream.ChannelType{wsstream.ReadWriteChannel}))
			_, streams, err := conn.Open(w, r)
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.Copy(streams[0], streams[0])
			return
		}
		if _, err := httpstream.Handshake(r, w, []string{"echo"}); err != nil {
			_, _ = io.WriteString(w, "no protocol in common") // Handshake has refused.
			return
		}
		conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
			go func() {
				_, _ = io.Copy(stream, stream)
				_ = stream.Close()
			}()
			return nil
		})
		if conn != nil {
			<-conn.CloseChan()
		}
	}
}

func TestSPDY(t *testing.T) {
	var seen atomic.Pointer[http.Header]
	f := start(t, "/prefix", Options{}, echo(&seen))
	config := &restclient.Config{Host: f.front.URL, TLSClientConfig: restclient.TLSClientConfig{Insecure: true}, BearerToken: "callers-token"}
	transport, upgrader, err := spdyclient.RoundTripperFor(config)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(f.front.URL + "/proxy/exec?command=x")
	if err != nil {
		t.Fatal(err)
	}
	dialer := spdyclient.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, u)
	conn, protocol, err := dialer.Dial("echo")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if protocol != "echo" {
		t.Errorf("the protocol is %q", protocol)
	}
	for _, text := range []string{"one", strings.Repeat("two", 100000)} {
		stream, err := conn.CreateStream(http.Header{})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(stream, text)
			_ = stream.Close()
		}()
		got, err := io.ReadAll(stream)
		if err != nil || string(got) != text {
			t.Errorf("got %d bytes of %d: %v", len(got), len(text), err)
		}
	}
	checkUpgrade(t, *seen.Load())

	// A refusal comes back as the target says it.
	if _, _, err := dialer.Dial("other"); err == nil || !strings.Contains(err.Error(), "no protocol in common") {
		t.Errorf("got %v", err)
	}
}

func TestWebSocket(t *testing.T) {
	var seen atomic.Pointer[http.Header]
	f := start(t, "", Options{}, echo(&seen))
	config, err := websocket.NewConfig(strings.Replace(f.front.URL, "https:", "wss:", 1)+"/proxy/exec", f.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.TlsConfig = f.http1()
	config.Protocol = []string{"base64url.bearer.authorization.k8s.io.dG9rZW4", "channel.k8s.io"}
	config.Header = http.Header{"Authorization": {"Bearer callers-token"}, "Impersonate-User": {"root"}, "Impersonate_group": {"system:masters"}}
	conn, err := websocket.DialConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := websocket.Message.Send(conn, []byte("\x00hello")); err != nil {
		t.Fatal(err)
	}
	for {
		var got []byte
		if err := websocket.Message.Receive(conn, &got); err != nil {
			t.Fatal(err)
		}
		if len(got) <= 1 {
			continue // The server begins each channel with an empty message.
		}
		if string(got) != "\x00hello" {
			t.Errorf("got %q", got)
		}
		break
	}
	header := *seen.Load()
	checkUpgrade(t, header)
	if got := header["Sec-Websocket-Protocol"]; len(got) != 1 || got[0] != "channel.k8s.io" {
		t.Errorf("protocols %q arrived", got)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the session ends at the target", func() bool {
		f.proxy.gate.mu.Lock()
		defer f.proxy.gate.mu.Unlock()
		return len(f.proxy.gate.targets) == 0
	})
}

func checkUpgrade(t *testing.T, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{"Authorization": "Bearer " + ksitToken, "Impersonate-User": "jane", "Impersonate-Group": "dev", "Connection": "Upgrade"} {
		if got := header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s arrived as %q, want %q", name, got, want)
		}
	}
	if _, found := header["Impersonate_group"]; found {
		t.Error("Impersonate_group arrived")
	}
}

// The trick of naming a header in Connection, so that whoever is next drops it,
// and the answer of an upgrade, which has headers as well.
func TestUpgradeHeaders(t *testing.T) {
	var seen atomic.Pointer[http.Header]
	f := start(t, "", Options{}, echo(&seen))
	conn, err := tls.Dial("tcp", f.front.Listener.Addr().String(), f.http1())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /proxy/exec HTTP/1.1\r\nHost: x\r\nConnection: upgrade, Impersonate-User, Authorization, Impersonate-Group\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://x\r\n"+
		"Sec-WebSocket-Protocol: channel.k8s.io\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	answer := string(buffer[:n])
	if !strings.HasPrefix(answer, "HTTP/1.1 101") || strings.Contains(answer, "Cookie") {
		t.Errorf("got %s", answer)
	}
	checkUpgrade(t, *seen.Load())
}
