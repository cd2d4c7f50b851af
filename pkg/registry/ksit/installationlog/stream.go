// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installationlog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
)

const (
	// rewatch is the pause before a watch is begun again that etcd has ended.
	rewatch = time.Second
	// aliveInterval is how often it is looked whether an Installation is still
	// there of which nothing is said.
	aliveInterval = 20 * time.Second
)

// stream is the answer to a read: what the server sends is read from it.
type stream struct {
	rest         *REST
	installation *ksit.Installation
	options      *ksit.InstallationLogOptions
}

var _ rest.ResourceStreamer = &stream{}

// GetObjectKind implements runtime.Object, as which an answer is handed on.
func (s *stream) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. A stream is never copied.
func (s *stream) DeepCopyObject() runtime.Object { return s }

// InputStream implements rest.ResourceStreamer. The context it is given is that
// of the connection, and knows of no namespace.
func (s *stream) InputStream(ctx context.Context, _, _ string) (io.ReadCloser, bool, string, error) {
	ctx = genericapirequest.WithNamespace(ctx, s.installation.Namespace)
	log, err := s.rest.logs.read(ctx, s.installation)
	if err != nil {
		return nil, false, "", err
	}
	text := write(nil, selected(log.Lines, s.options, time.Now()), s.options.Timestamps)
	if !s.options.Follow {
		return io.NopCloser(bytes.NewReader(text)), false, mediaType, nil
	}
	select {
	case s.rest.followers <- struct{}{}:
	default:
		return nil, false, "", apierrors.NewTooManyRequests(fmt.Sprintf("%d logs are being followed already", maxFollowers), busyRetrySeconds)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{ctx: ctx, stream: s, text: text, seen: log.Written, since: log.ResourceVersion}
	f.close = sync.OnceFunc(func() {
		cancel()
		if f.events != nil {
			f.events.Stop()
		}
		<-s.rest.followers
	})
	return f, true, mediaType, nil
}

// follower reads a log and then what is added to it, until the caller goes, the
// Installation does, or the server.
type follower struct {
	ctx    context.Context
	stream *stream
	close  func()
	events watch.Interface
	// since is the version of the log that was read, for the first watch.
	since string
	// text is what is to be sent.
	text []byte
	// seen counts the lines that were sent, among all that were ever written.
	seen int64
}

// Close ends the stream.
func (f *follower) Close() error {
	f.close()
	return nil
}

// Read waits until there is something to read.
func (f *follower) Read(p []byte) (int, error) {
	for len(f.text) == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}

// next waits for the next change of the log.
func (f *follower) next() error {
	if f.events == nil {
		events, err := f.stream.rest.logs.watch(f.ctx, f.stream.installation.Name, f.since)
		f.since = ""
		if err != nil {
			return f.pause()
		}
		f.events = events
	}
	quiet := time.NewTimer(aliveInterval)
	defer quiet.Stop()
	select {
	case <-f.ctx.Done():
		return io.EOF
	case <-f.stream.rest.stopping:
		return io.EOF
	case <-quiet.C:
		return f.alive()
	case event, open := <-f.events.ResultChan():
		if !open || event.Type == watch.Error {
			f.events.Stop()
			f.events = nil
			return f.pause()
		}
		return f.take(event)
	}
}

func (f *follower) take(event watch.Event) error {
	log, ok := event.Object.(*ksit.InstallationLog)
	if !ok {
		return nil
	}
	if event.Type == watch.Deleted {
		return io.EOF
	}
	if !belongs(log, f.stream.installation) {
		// Left by an earlier Installation, until this one has something to say;
		// or by this one, if another has taken its place.
		return nil
	}
	lines, lost := newer(log, f.seen)
	f.seen = log.Written
	if lost > 0 {
		f.text = append(f.text, fmt.Sprintf("(%d lines came too fast to be sent)\n", lost)...)
	}
	f.text = write(f.text, lines, f.stream.options.Timestamps)
	return nil
}

// pause waits before the log is watched anew; it is then read from where it was
// left.
func (f *follower) pause() error {
	select {
	case <-f.ctx.Done():
		return io.EOF
	case <-f.stream.rest.stopping:
		return io.EOF
	case <-time.After(rewatch):
	}
	return f.alive()
}

// alive ends the stream when the Installation is gone: nothing says so where it
// went without a log, or while nobody watched.
func (f *follower) alive() error {
	object, err := f.stream.rest.installation(f.ctx, f.stream.installation.Name)
	if apierrors.IsNotFound(err) || (err == nil && object.UID != f.stream.installation.UID) {
		return io.EOF
	}
	return nil
}
