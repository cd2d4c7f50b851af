// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// clientCount is how many clients there are at a time, each with a connection of
// its own.
const clientCount = 16

// subject is one way to Integrations that is measured.
type subject struct {
	name string
	// url is of the resource in a namespace of the subject's own.
	url string
	// mediaType is what is sent and asked for.
	mediaType string
	// body encodes the object with the given number, to be created.
	body    func(n int) ([]byte, error)
	clients []*http.Client
}

func newClients(b *testing.B, config *rest.Config) []*http.Client {
	b.Helper()
	clients := make([]*http.Client, clientCount)
	for n := range clients {
		var err error
		if clients[n], err = rest.HTTPClientFor(rest.CopyConfig(config)); err != nil {
			b.Fatal(err)
		}
	}
	return clients
}

func objectName(n int) string { return fmt.Sprintf("integration-%04d", n) }

// do sends a request and reads the whole answer, into the writer given.
func (s *subject) do(ctx context.Context, client *http.Client, method, path, contentType string, body []byte, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", s.mediaType)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		message, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("%s %s: %s: %s", method, s.url+path, response.Status, message)
	}
	_, err = io.Copy(to, response.Body)
	return err
}

func (s *subject) create(ctx context.Context, client *http.Client, n int) error {
	body, err := s.body(n)
	if err != nil {
		return err
	}
	return s.do(ctx, client, http.MethodPost, "", s.mediaType, body, io.Discard)
}

func (s *subject) get(ctx context.Context, client *http.Client, n int) error {
	return s.do(ctx, client, http.MethodGet, "/"+objectName(n), "", nil, io.Discard)
}

func (s *subject) patchStatus(ctx context.Context, client *http.Client, n, report int) error {
	return s.do(ctx, client, http.MethodPatch, "/"+objectName(n)+"/status", "application/merge-patch+json", statusPatch(report), io.Discard)
}

// call is something that is done to the object with a number.
type call func(ctx context.Context, s *subject, client *http.Client, n int) error

// each has the subject's clients share the numbers from first up to, but not
// including, end among them, and returns how long all of them took.
func (s *subject) each(ctx context.Context, first, end int, do call) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(first))
	begin := time.Now()
	var wait sync.WaitGroup
	for _, client := range s.clients {
		wait.Go(func() {
			for n := int(next.Add(1) - 1); n < end && ctx.Err() == nil; n = int(next.Add(1) - 1) {
				if err := do(ctx, s, client, n); err != nil {
					cancel(fmt.Errorf("%s: %w", s.name, err))
				}
			}
		})
	}
	wait.Wait()
	return time.Since(begin), context.Cause(ctx)
}

// inTurns does total calls to each subject, in rounds, so that whatever else
// goes on meanwhile is shared between them, and returns calls per second.
func inTurns(b *testing.B, subjects []*subject, total, rounds int, do call) map[string]float64 {
	b.Helper()
	spent := map[string]time.Duration{}
	for round := range rounds {
		for n := range subjects {
			s := subjects[(n+round)%len(subjects)]
			took, err := s.each(b.Context(), total*round/rounds, total*(round+1)/rounds, do)
			if err != nil {
				b.Fatal(err)
			}
			spent[s.name] += took
		}
	}
	rates := map[string]float64{}
	for name, took := range spent {
		rates[name] = float64(total) / took.Seconds()
	}
	return rates
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
