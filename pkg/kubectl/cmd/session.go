// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cmd holds the commands of the kubectl plug-in. Each reads its flags,
// asks the API server of the host cluster, and writes for whoever asked.
package cmd

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/terminal"
	"ksit.io/ksit/pkg/version"
)

// Streams are where a command reads and writes.
type Streams = genericiooptions.IOStreams

// session is what the commands share: the flags of kubectl, and where to write.
type session struct {
	Streams
	flags  *genericclioptions.ConfigFlags
	colour string
	now    func() time.Time
	getenv func(string) string
}

func newSession(streams Streams) *session {
	s := &session{Streams: streams, flags: genericclioptions.NewConfigFlags(true), now: time.Now, getenv: os.Getenv}
	s.flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.UserAgent = "kubectl-ksit/" + version.Get().GitVersion
		// A person waits: what is asked for at once is asked for at once.
		config.QPS, config.Burst = 50, 100
		config.WarningHandler = rest.NewWarningWriter(s.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
		return config
	}
	return s
}

// config is how the host cluster is reached.
func (s *session) config() (*rest.Config, error) { return s.flags.ToRESTConfig() }

// ksit returns a client of KSIT's API.
func (s *session) ksit() (versioned.Interface, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	return versioned.NewForConfig(config)
}

// host returns a client of the host cluster's own API.
func (s *session) host() (kubernetes.Interface, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// namespace is the one that the command works in.
func (s *session) namespace() (string, error) {
	namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// connect returns a client of KSIT's API and the namespace to work in.
func (s *session) connect() (versioned.Interface, string, error) {
	client, err := s.ksit()
	if err != nil {
		return nil, "", err
	}
	namespace, err := s.namespace()
	return client, namespace, err
}

// terminal returns what output is written to.
func (s *session) terminal() (*terminal.Terminal, error) {
	return terminal.New(s.Out, s.colour, s.getenv)
}

// say writes a line that tells what was done.
func (s *session) say(format string, args ...any) {
	fmt.Fprintln(s.Out, terminal.Clean(fmt.Sprintf(format, args...)))
}

// warn writes a line that is no output of the command.
func (s *session) warn(format string, args ...any) {
	fmt.Fprintln(s.ErrOut, terminal.Clean("Warning: "+fmt.Sprintf(format, args...)))
}

// addColour gives a command the flag of how it is coloured.
func (s *session) addColour(command *cobra.Command) {
	command.PersistentFlags().StringVar(&s.colour, "color", terminal.ColourAuto,
		"When to use colours: auto (on a terminal, unless NO_COLOR is set), always or never.")
}
