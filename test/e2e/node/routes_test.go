// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/test/e2e/traffic"
)

// serving is the name in KSIT's certificate.
const serving = "ksit-apiserver." + namespace + ".svc"

// routes are the ways to KSIT's API. The host's API server finds pods by its own watch
// of their addresses. Others, without --enable-aggregator-routing, go by the address of
// the Service, whose rules kube-proxy makes: that way is gone without the host in
// between, for want of a second one, with the certificate verified as it would.
func (c *cluster) routes(t *testing.T) []traffic.Route {
	t.Helper()
	service, err := c.kube.CoreV1().Services(namespace).Get(t.Context(), "ksit-apiserver", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := c.Host.RESTConfig()
	return []traffic.Route{{
		Name: "aggregator",
		Host: config.Host,
		Transport: func() (*http.Transport, error) {
			client, err := rest.TLSConfigFor(config)
			if err != nil {
				return nil, err
			}
			return transport(client, (&net.Dialer{}).DialContext), nil
		},
	}, {
		Name: "Service",
		Host: "https://" + net.JoinHostPort(service.Spec.ClusterIP, "443"),
		Transport: func() (*http.Transport, error) {
			client, err := rest.TLSConfigFor(config)
			if err != nil {
				return nil, err
			}
			client.ServerName = serving
			// In place of it, VerifyConnection asks whom the host trusts at this moment.
			client.InsecureSkipVerify = true
			client.VerifyConnection = c.verify
			return transport(client, c.Node.Dial), nil
		},
	}}
}

func transport(client *tls.Config, dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{TLSClientConfig: client, DialContext: dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second}
}

// verify verifies KSIT's certificate as the aggregator does, by the authorities in the
// APIService.
func (c *cluster) verify(state tls.ConnectionState) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	service, err := c.apiService(ctx)
	if err != nil {
		return fmt.Errorf("asking whom the host trusts: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(service.Spec.CABundle) {
		return errors.New("the host trusts nobody to be KSIT")
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: serving})
	return err
}

// served is the certificate that a pod serves with.
func (c *cluster) served(ctx context.Context, address string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := c.Node.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	// What it is, not whether it is good, is the question.
	secure := tls.Client(conn, &tls.Config{ServerName: serving, InsecureSkipVerify: true})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure.ConnectionState().PeerCertificates[0], nil
}
