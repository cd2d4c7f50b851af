// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	streamIdle  = 10 * time.Minute
	streamBegin = time.Minute
)

// streamingKubelet answers for the pods of a target by the code by which
// kubelets do: what an API server asks of them for logs, exec and port-forward.
// Only what runs in the pods is played.
func streamingKubelet() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeExec(w, r, container{}, r.PathValue("pod"), "", r.PathValue("container"), r.URL.Query()["command"],
			options, streamIdle, streamBegin, remotecommand.SupportedStreamingProtocols)
	})
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, container{}, r.PathValue("pod"), "", options, streamIdle, streamBegin, portforward.SupportedProtocols)
	})
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "a line of %s\n", r.PathValue("pod"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

// container plays what runs in a pod: the programs cat and fail, and on each
// port one that says what it hears.
type container struct{}

var (
	_ remotecommand.Executor    = container{}
	_ portforward.PortForwarder = container{}
)

func (container) ExecInContainer(_ context.Context, _, _, _ string, cmd []string, in io.Reader, out, problems io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	switch cmd[0] {
	case "cat":
		_, err := io.Copy(out, in)
		return err
	case "fail":
		return utilexec.CodeExitError{Err: fmt.Errorf("%s failed", cmd[0]), Code: 3}
	default:
		fmt.Fprintln(problems, "no such program")
		return utilexec.CodeExitError{Err: fmt.Errorf("there is no %s", cmd[0]), Code: 127}
	}
}

func (container) PortForward(_ context.Context, name, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	line, err := bufio.NewReader(stream).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stream, "port %d of %s: %s", port, name, line)
	return err
}
