// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installationlog

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/registrytest"
)

const name = "app.one"

// there are the Installations that exist, by name.
type there map[string]*ksit.Installation

func (o there) Get(_ context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if i := o[name]; i != nil {
		return i, nil
	}
	return nil, apierrors.NewNotFound(ksit.Resource("installations"), name)
}

func installation(uid types.UID) *ksit.Installation {
	return &ksit.Installation{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, UID: uid}}
}

// server is an API server's part of logs on a backend.
func server(t *testing.T, backend *registrytest.Backend, installations there, stopping <-chan struct{}) *REST {
	t.Helper()
	logs, err := NewStore(backend.Set.Scheme, backend.Getter)
	if err != nil {
		t.Fatal(err)
	}
	served := NewREST(logs, installations, stopping)
	t.Cleanup(served.Destroy)
	return served
}

func say(t *testing.T, r *REST, messages ...string) {
	t.Helper()
	log := &ksit.InstallationLog{}
	for _, message := range messages {
		log.Lines = append(log.Lines, ksit.LogLine{Message: message})
	}
	if _, err := r.Create(registrytest.Context("team-a"), name, log, rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, r *REST, options ksit.InstallationLogOptions) io.ReadCloser {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	object, err := r.Get(registrytest.Context("team-a"), name, &options)
	if err != nil {
		t.Fatal(err)
	}
	stream, flush, media, err := object.(rest.ResourceStreamer).InputStream(ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if flush != options.Follow || media != "text/plain" {
		t.Errorf("streamed as %s, flushed %t", media, flush)
	}
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}

func text(t *testing.T, r *REST, options ksit.InstallationLogOptions) string {
	t.Helper()
	data, err := io.ReadAll(open(t, r, options))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Two API servers on one etcd answer the same, followers included.
func TestEveryServerAnswersTheSame(t *testing.T) {
	backend := registrytest.New(t)
	one := there{name: installation("1")}
	first, second := server(t, backend, one, nil), server(t, backend, one, nil)
	say(t, first, "first", "second")
	followers := []*bufio.Scanner{
		bufio.NewScanner(open(t, first, ksit.InstallationLogOptions{Follow: true})),
		bufio.NewScanner(open(t, second, ksit.InstallationLogOptions{Follow: true, TailLines: new(int64(2))})),
	}
	for n := range 5 {
		say(t, []*REST{first, second}[n%2], fmt.Sprint("line ", n))
	}
	want := "first\nsecond\nline 0\nline 1\nline 2\nline 3\nline 4\n"
	for n, f := range followers {
		var got strings.Builder
		for range 7 {
			if !f.Scan() {
				t.Fatalf("follower %d ended after %q: %v", n, got.String(), f.Err())
			}
			got.WriteString(f.Text() + "\n")
		}
		if got.String() != want {
			t.Errorf("follower %d read %q", n, got.String())
		}
	}
	for _, r := range []*REST{first, second} {
		if got := text(t, r, ksit.InstallationLogOptions{}); got != want {
			t.Errorf("read %q", got)
		}
	}
}

func TestOptions(t *testing.T) {
	r := server(t, registrytest.New(t), there{name: installation("1")}, nil)
	if got := text(t, r, ksit.InstallationLogOptions{}); got != "" {
		t.Errorf("an empty log reads %q", got)
	}
	old := metav1.NewMicroTime(time.Date(2026, 11, 1, 12, 0, 0, 1000, time.UTC))
	log := &ksit.InstallationLog{Lines: []ksit.LogLine{{Time: old, Message: "long ago"}, {Message: "a\x1b[31mred\nline\x00 \u202Eback"}, {Message: " \t"}}}
	if _, err := r.Create(registrytest.Context("team-a"), name, log, nil, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for want, options := range map[string]ksit.InstallationLogOptions{
		"long ago\na[31mred line back\n": {},
		"a[31mred line back\n":           {TailLines: new(int64(1))},
		"":                               {TailLines: new(int64(0))},
	} {
		if got := text(t, r, options); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	if got := text(t, r, ksit.InstallationLogOptions{SinceSeconds: new(int64(3600))}); strings.Contains(got, "long ago") || !strings.Contains(got, "red") {
		t.Errorf("of the last hour: %q", got)
	}
	if got := text(t, r, ksit.InstallationLogOptions{Timestamps: true}); !strings.HasPrefix(got, "2026-11-01T12:00:00.000001Z long ago\n") {
		t.Errorf("with times: %q", got)
	}
	for _, wrong := range []ksit.InstallationLogOptions{{TailLines: new(int64(-1))}, {SinceSeconds: new(int64(0))}, {SinceSeconds: new(int64(1 << 62))}} {
		if _, err := r.Get(registrytest.Context("team-a"), name, &wrong); !apierrors.IsInvalid(err) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if _, err := r.Get(registrytest.Context("team-a"), "none", &ksit.InstallationLogOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a log of nothing: %v", err)
	}
}

func TestBounds(t *testing.T) {
	r := server(t, registrytest.New(t), there{name: installation("1")}, nil)
	long := strings.Repeat("ä", v1alpha1.MaxLogLine)
	for n := range 4 {
		lines := make([]string, 200)
		for m := range lines {
			lines[m] = fmt.Sprintf("%d %s", n*200+m, long)
		}
		say(t, r, lines...)
	}
	log, err := r.logs.read(registrytest.Context("team-a"), installation("1"))
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, line := range log.Lines {
		if len(line.Message) > v1alpha1.MaxLogLine || !strings.HasSuffix(line.Message, " …") {
			t.Fatalf("a line of %d bytes: %q", len(line.Message), line.Message)
		}
		size += len(line.Message)
	}
	if size > v1alpha1.MaxLogBytes || size < v1alpha1.MaxLogBytes*8/10 || log.Written != 800 || !strings.HasPrefix(log.Lines[len(log.Lines)-1].Message, "799 ") {
		t.Errorf("%d lines of %d bytes are kept of %d", len(log.Lines), size, log.Written)
	}
	for n := range 3 {
		say(t, r, strings.Split(strings.Repeat(fmt.Sprint("short ", n, ","), 300), ",")...)
	}
	if log, err = r.logs.read(registrytest.Context("team-a"), installation("1")); err != nil || len(log.Lines) != v1alpha1.MaxLogLines {
		t.Errorf("%d lines are kept, %v", len(log.Lines), err)
	}
	tooMany := &ksit.InstallationLog{Lines: make([]ksit.LogLine, v1alpha1.MaxLogLines+1)}
	if _, err := r.Create(registrytest.Context("team-a"), name, tooMany, nil, &metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("too many lines at once: %v", err)
	}
}

// A follower ends with its Installation, and with the server; and a log that an
// earlier Installation left is not that of the next.
func TestEnd(t *testing.T) {
	backend := registrytest.New(t)
	installations := there{name: installation("1")}
	stopping := make(chan struct{})
	r := server(t, backend, installations, stopping)
	say(t, r, "of the first")
	stream := open(t, r, ksit.InstallationLogOptions{Follow: true})
	r.logs.Delete(installations[name], nil)
	if data, err := io.ReadAll(stream); err != nil || string(data) != "of the first\n" {
		t.Errorf("followed until the end: %q, %v", data, err)
	}
	say(t, r, "left behind")
	installations[name] = installation("2")
	if got := text(t, r, ksit.InstallationLogOptions{}); got != "" {
		t.Errorf("the next Installation begins with %q", got)
	}
	stream = open(t, r, ksit.InstallationLogOptions{Follow: true})
	say(t, r, "of the second")
	line := bufio.NewReader(stream)
	if got, err := line.ReadString('\n'); err != nil || got != "of the second\n" {
		t.Errorf("followed %q, %v", got, err)
	}
	close(stopping)
	if data, err := io.ReadAll(line); err != nil || len(data) != 0 {
		t.Errorf("at the end of the server: %q, %v", data, err)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	r := server(t, registrytest.New(t), there{name: installation("1")}, nil)
	r.followers = make(chan struct{}, 1)
	first := open(t, r, ksit.InstallationLogOptions{Follow: true})
	object, err := r.Get(registrytest.Context("team-a"), name, &ksit.InstallationLogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := object.(rest.ResourceStreamer).InputStream(context.Background(), "", ""); !apierrors.IsTooManyRequests(err) {
		t.Errorf("one too many: %v", err)
	}
	_ = first.Close()
	_ = first.Close()
	open(t, r, ksit.InstallationLogOptions{Follow: true})
}
