// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ksit.io/ksit/test/bed/internal/pki"
	"ksit.io/ksit/test/bed/internal/process"
)

const (
	loopback = "127.0.0.1"
	// serviceCIDR is not routed; on targets what is sent there ends in the
	// bed's pod network.
	serviceCIDR = "10.96.0.0/16"
	podCIDR     = "10.244.0.0/16"
	nodeIP      = "10.0.0.1"
	// advertised is the address in the endpoints of the Service kubernetes.
	// An API server refuses a loopback address there, and nobody uses it.
	advertised = "10.255.255.1"

	frontProxyUser = "front-proxy-client"
)

// listenAddress is a reserved port on the loopback address, or on another address
// of this machine.
type listenAddress struct {
	host string
	port int
}

func (a listenAddress) String() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }

func (b *Bed) listenAddress() (listenAddress, error) {
	port, err := b.ports.Take()
	return listenAddress{host: loopback, port: port}, err
}

// prepare makes the cluster's certificates, kubeconfig and component processes.
func (c *Cluster) prepare() error {
	var addresses [4]listenAddress
	for i := range addresses {
		var err error
		if addresses[i], err = c.bed.listenAddress(); err != nil {
			return err
		}
	}
	etcdPeer, api, operator := addresses[1], addresses[2], addresses[3]
	c.etcd = addresses[0]
	if c.node != nil {
		// Where pods reach it.
		api.host = c.node.Gateway
	}
	c.Server = "https://" + api.String()
	if err := c.writeCertificates(); err != nil {
		return err
	}
	if err := c.writeAdminKubeconfig(); err != nil {
		return err
	}
	c.addComponent(Etcd, c.bed.Tools.Etcd, etcdArgs(c.file("etcd"), c.etcd, etcdPeer))
	audit, err := c.auditArgs()
	if err != nil {
		return err
	}
	apiArgs := append(c.apiServerArgs(c.etcd, api), audit...)
	if c.role == target {
		// On the host, Services must lead to processes on this machine;
		// on a target they lead to pods, which nobody but the bed can answer for.
		egress, err := c.startPodNetwork()
		if err != nil {
			return err
		}
		apiArgs = append(apiArgs, "--egress-selector-config-file="+egress)
	}
	c.addComponent(APIServer, c.bed.Tools.KubeAPIServer, apiArgs)
	c.addComponent(ControllerManager, c.bed.Tools.KubeControllerManager, c.controllerManagerArgs())
	if c.role == target || c.node != nil {
		c.addComponent(Scheduler, c.bed.Tools.KubeScheduler, append(c.clientArgs(), "--leader-elect=false", "--secure-port=0"))
	}
	if c.role == target {
		c.addComponent(Kwok, c.bed.Tools.Kwok, c.kwokArgs())
		if c.bed.options.PrometheusOperator {
			c.addComponent(PrometheusOperator, c.bed.Tools.PrometheusOperator, c.prometheusOperatorArgs(operator))
		}
	}
	return nil
}

func (c *Cluster) addComponent(component Component, path string, args []string) {
	// An API server or an etcd that dies is something to see, not to mend.
	// The others may give up while a test has taken the API server away.
	keepAlive := component != Etcd && component != APIServer
	c.components[component] = process.New(c.bed.spawner, process.Spec{
		Name:      c.Name + "/" + string(component),
		Path:      path,
		Args:      args,
		Env:       append(cleanEnvironment(), "KUBECONFIG="+c.Kubeconfig),
		Dir:       c.dir,
		LogFile:   c.Log(component),
		KeepAlive: keepAlive,
	})
}

// cleanEnvironment is this process's without the proxies of the outside world,
// which have no business between loopback addresses, and without a kubeconfig.
func cleanEnvironment() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "KUBECONFIG":
		default:
			env = append(env, entry)
		}
	}
	return env
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func etcdArgs(dir string, client, peer listenAddress) []string {
	clientURL, peerURL := "http://"+client.String(), "http://"+peer.String()
	return []string{
		"--data-dir=" + dir,
		"--listen-client-urls=" + clientURL,
		"--advertise-client-urls=" + clientURL,
		"--listen-peer-urls=" + peerURL,
		"--initial-advertise-peer-urls=" + peerURL,
		"--initial-cluster=default=" + peerURL,
		// The data dies with the bed, so that nothing needs to reach the disk.
		"--unsafe-no-fsync",
	}
}

func (c *Cluster) apiServerArgs(etcd, listen listenAddress) []string {
	args := []string{"--advertise-address=" + advertised, "--endpoint-reconciler-type=none"}
	if c.node != nil {
		args = c.node.apiServerArgs(c)
	}
	return append(args,
		"--etcd-servers=http://"+etcd.String(),
		"--secure-port="+strconv.Itoa(listen.port),
		"--bind-address="+listen.host,
		"--tls-cert-file="+c.file("apiserver.crt"),
		"--tls-private-key-file="+c.file("apiserver.key"),
		"--client-ca-file="+c.file("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.file("service-account.pub"),
		"--service-account-signing-key-file="+c.file("service-account.key"),
		"--service-cluster-ip-range="+serviceCIDR,
		"--requestheader-client-ca-file="+c.FrontProxyCA,
		"--requestheader-allowed-names="+frontProxyUser,
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file="+c.file("front-proxy.crt"),
		"--proxy-client-key-file="+c.file("front-proxy.key"),
		"--allow-privileged=true",
	)
}

// clientArgs are common to the programs that are clients of the API server. At
// their default request rates they, and not what is tested, would set the pace.
func (c *Cluster) clientArgs() []string {
	return []string{
		"--kubeconfig=" + c.Kubeconfig,
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}
}

func (c *Cluster) controllerManagerArgs() []string {
	return append(c.clientArgs(),
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=false",
		"--service-account-private-key-file="+c.file("service-account.key"),
		"--root-ca-file="+c.file("ca.crt"),
		"--cluster-signing-cert-file="+c.file("ca.crt"),
		"--cluster-signing-key-file="+c.file("ca.key"),
		"--concurrent-deployment-syncs=20",
		"--concurrent-replicaset-syncs=20",
	)
}

func (c *Cluster) kwokArgs() []string {
	return []string{
		"--config=" + c.bed.Tools.KwokStages,
		"--kubeconfig=" + c.Kubeconfig,
		"--manage-all-nodes=true",
		"--disregard-status-with-annotation-selector=",
		"--cidr=" + podCIDR,
		"--node-ip=" + nodeIP,
		"--node-lease-duration-seconds=40",
	}
}

// writeCertificates makes what the components prove themselves with. Client
// certificates and the front proxy's come from different authorities, because
// whoever holds one of the latter may claim to be anybody.
func (c *Cluster) writeCertificates() error {
	var err error
	if c.clientCA, err = pki.NewAuthority(c.Name); err != nil {
		return err
	}
	frontProxyCA, err := pki.NewAuthority(c.Name + "-front-proxy")
	if err != nil {
		return err
	}
	names := []string{loopback, "localhost", "kubernetes.default.svc", "10.96.0.1"}
	if c.bed.Node != nil {
		names = append(names, c.bed.Node.Gateway)
	}
	serving, err := c.clientCA.Server(names...)
	if err != nil {
		return err
	}
	frontProxy, err := frontProxyCA.Client(frontProxyUser)
	if err != nil {
		return err
	}
	signing, verifying, err := pki.SigningKey()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		c.file("ca.crt"):              c.clientCA.Cert,
		c.file("ca.key"):              c.clientCA.Key,
		c.file("apiserver.crt"):       serving.Cert,
		c.file("apiserver.key"):       serving.Key,
		c.FrontProxyCA:                frontProxyCA.Cert,
		c.file("front-proxy.crt"):     frontProxy.Cert,
		c.file("front-proxy.key"):     frontProxy.Key,
		c.file("service-account.key"): signing,
		c.file("service-account.pub"): verifying,
	}
	if c.node != nil {
		kubelets, err := c.clientCA.Client("kube-apiserver-kubelet-client", "system:masters")
		if err != nil {
			return err
		}
		files[c.file("kubelet-client.crt")], files[c.file("kubelet-client.key")] = kubelets.Cert, kubelets.Key
	}
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing certificates: %w", err)
		}
	}
	return nil
}

func (c *Cluster) etcdListens(ctx context.Context) error { return listens(ctx, c.etcd) }

func listens(ctx context.Context, address listenAddress) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// ready asks the API server whether it is ready.
func (c *Cluster) ready(ctx context.Context) error {
	return getOK(ctx, c.Server+"/readyz", c.clientCA.Cert)
}

// getOK asks for a URL, which anybody may, and wants the answer 200.
func getOK(ctx context.Context, url string, ca []byte) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return errors.New("the certificate authority is unreadable")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	// The body lists the checks that fail.
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return fmt.Errorf("%s says %s: %s", url, response.Status, failedChecks(string(body)))
}

// failedChecks picks the lines of a health report that say what is wrong.
func failedChecks(report string) string {
	var failed []string
	for line := range strings.Lines(report) {
		if strings.HasPrefix(line, "[-]") {
			failed = append(failed, strings.TrimSpace(line))
		}
	}
	return strings.Join(failed, "; ")
}
