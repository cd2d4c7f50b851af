// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/kubectl/passage"
)

func (s *session) proxyCommand() *cobra.Command {
	var port uint16
	command := &cobra.Command{
		Use:   "proxy TARGET",
		Short: "Serve the API of a target on this machine",
		Long: "Serves the API of a target on the loopback address of this machine, through KSIT and as you: with your rights on the target. " +
			"As with kubectl proxy, every program of this machine can use it while it runs, and exec and attach are turned away.",
		Example:           "  kubectl ksit proxy production-cluster-2 --port 8001\n  curl http://127.0.0.1:8001/api/v1/namespaces",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.complete(argument(0, s.targetNames)),
		RunE: func(command *cobra.Command, args []string) error {
			return s.proxy(command.Context(), args[0], port)
		},
	}
	command.Flags().Uint16VarP(&port, "port", "p", 8001, "The port to serve on; 0 for any that is free.")
	return command
}

func (s *session) proxy(ctx context.Context, argument string, port uint16) error {
	namespace, name, err := s.findTarget(ctx, argument)
	if err != nil {
		return err
	}
	host, err := s.config()
	if err != nil {
		return err
	}
	config, err := passage.Config(host, namespace, name)
	if err != nil {
		return err
	}
	handler, err := passage.Handler(config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer listener.Close()
	s.say("Serving the API of target %s/%s on http://%s", namespace, name, listener.Addr())
	return passage.Serve(ctx, listener, handler)
}

// findTarget returns namespace and name of a target, which is there or which the
// caller may not look at: to use one, nobody needs to.
func (s *session) findTarget(ctx context.Context, argument string) (namespace, name string, err error) {
	ref, err := parseReference(argument)
	if err != nil {
		return "", "", err
	}
	client, namespace, err := s.connect()
	if err != nil {
		return "", "", err
	}
	_, err = client.KsitV1alpha1().IntegrationTargets(namespace).Get(ctx, ref.name, metav1.GetOptions{})
	if err != nil && !apierrors.IsForbidden(err) {
		return "", "", err
	}
	if ref.name == "" {
		return "", "", fmt.Errorf("%q names no target", argument)
	}
	return namespace, ref.name, nil
}
