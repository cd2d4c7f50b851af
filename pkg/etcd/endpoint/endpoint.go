// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package endpoint connects to an etcd: one of its own members' choosing, with
// the certificates that it asks for, within bounded time and with errors that say
// which of the two is wrong.
package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// answerTimeout bounds the first question to a member.
const answerTimeout = 10 * time.Second

// Options say where an etcd is and what a client proves itself with.
type Options struct {
	// Servers are the URLs of the members.
	Servers []string
	// CAFile has the authorities that the members' certificates are checked by;
	// CertFile and KeyFile are the client's own.
	CAFile, CertFile, KeyFile string
}

// Validate returns everything that is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	secure := o.CAFile != "" || o.CertFile != "" || o.KeyFile != ""
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, errors.New("a certificate and its key must be given together"))
	}
	for _, server := range o.Servers {
		scheme, _, found := strings.Cut(server, "://")
		switch {
		case !found || !slices.Contains([]string{"http", "https", "unix"}, scheme):
			errs = append(errs, fmt.Errorf("%q is no URL of an etcd: it must be http://, https:// or unix://", server))
		case scheme == "http" && secure:
			errs = append(errs, fmt.Errorf("%q takes no certificates: it must be https://", server))
		}
	}
	return errors.Join(errs...)
}

// TLS is how to prove oneself to the members; nil where that is not wanted. The
// files of the certificate are read anew for each connection.
func (o Options) TLS() (*tls.Config, error) {
	if len(o.Servers) == 0 || !strings.HasPrefix(o.Servers[0], "https://") {
		return nil, nil
	}
	info := transport.TLSInfo{TrustedCAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile}
	config, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the certificates for etcd: %w", err)
	}
	return config, nil
}

// Dial connects and returns when a member has answered: it is the only error of a
// wrong address or certificate that says so. The caller closes the client.
func Dial(ctx context.Context, o Options) (*clientv3.Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	config := clientv3.Config{
		Endpoints:            o.Servers,
		DialTimeout:          answerTimeout,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		Logger:               zap.NewNop(),
	}
	var err error
	if config.TLS, err = o.TLS(); err != nil {
		return nil, err
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd at %s: %w", strings.Join(o.Servers, ","), err)
	}
	if _, err := Healthy(ctx, client); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// Healthy returns a member that answers and knows a leader. All are asked at once,
// for a bounded time; when none is healthy, what each said is the error.
func Healthy(ctx context.Context, client *clientv3.Client) (endpoint string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		endpoint string
		err      error
	}
	answers := make(chan answer, len(client.Endpoints()))
	for _, endpoint := range client.Endpoints() {
		go func() {
			status, err := Status(ctx, client, endpoint)
			if err == nil && status.Leader == 0 {
				err = fmt.Errorf("etcd at %s has no leader", endpoint)
			}
			answers <- answer{endpoint, err}
		}()
	}
	var errs []error
	for range cap(answers) {
		given := <-answers
		if given.err == nil {
			return given.endpoint, nil
		}
		errs = append(errs, given.err)
	}
	return "", errors.Join(errs...)
}

// Status asks one member how it is.
func Status(ctx context.Context, client *clientv3.Client, endpoint string) (*clientv3.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	status, err := client.Status(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("asking etcd at %s: %w", endpoint, err)
	}
	return status, nil
}
