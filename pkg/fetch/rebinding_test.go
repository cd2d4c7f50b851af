// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// TestRebinding has a name that is elsewhere each time that somebody asks: what
// counts is the address that is connected to.
func TestRebinding(t *testing.T) {
	var hits, asked atomic.Int32
	server := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	harmless, local := resolver("203.0.113.1", "2001:db8::1"), resolver("127.0.0.1", "::1")
	turning := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		// There are two questions for each name, one for each family.
		if asked.Add(1) <= 2 {
			return harmless.Dial(ctx, network, address)
		}
		return local.Dial(ctx, network, address)
	}}
	client := newTestClient(t, Options{Resolver: turning})
	var last error
	for range 3 {
		_, last = client.Get(t.Context(), "http://charts.example.com:"+port, Limits{Timeout: 300 * time.Millisecond})
		if last == nil {
			t.Error("a name that turned local is fetched")
		}
	}
	if hits.Load() != 0 || asked.Load() < 4 {
		t.Errorf("%d requests reached the server after %d questions, the last: %v", hits.Load(), asked.Load(), last)
	}
}

// resolver answers every question with the addresses given, as a name server
// of an attacker may.
func resolver(v4, v6 string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for answerDNS(server, v4, v6) == nil {
			}
		}()
		return client, nil
	}}
}

func answerDNS(conn net.Conn, v4, v6 string) error {
	var size uint16
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		return err
	}
	packed := make([]byte, size)
	if _, err := io.ReadFull(conn, packed); err != nil {
		return err
	}
	var message dnsmessage.Message
	if err := message.Unpack(packed); err != nil {
		return err
	}
	question := message.Questions[0]
	header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 1}
	message.Response, message.Additionals = true, nil
	switch question.Type {
	case dnsmessage.TypeA:
		message.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(v4).To4())}}}
	case dnsmessage.TypeAAAA:
		message.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte(net.ParseIP(v6))}}}
	}
	packed, err := message.Pack()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	_ = binary.Write(&out, binary.BigEndian, uint16(len(packed)))
	out.Write(packed)
	_, err = conn.Write(out.Bytes())
	return err
}
