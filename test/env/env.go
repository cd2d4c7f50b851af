// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package env gives integration tests a real Kubernetes API: etcd and a
// kube-apiserver, and where asked for a kube-controller-manager, as processes of
// the test that uses them.
//
// The programs are looked for in the directory that the environment variable
// KSIT_TEST_BIN names; `make test` builds them and sets it. Tests are skipped
// without it. Everything started is stopped, and its data removed, when the
// test ends.
package env

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// BinVariable names the environment variable with the directory of the programs.
const BinVariable = "KSIT_TEST_BIN"

const startTimeout = 60 * time.Second

// Options say what runs beside etcd and the kube-apiserver.
type Options struct {
	// Controllers starts the kube-controller-manager, and has somebody play the
	// kubelets: pods become Running and Ready, those of Jobs Succeeded, without
	// being scheduled to a node. See the annotation PodOutcome. DaemonSets,
	// which want nodes, get no pods.
	Controllers bool
}

// Cluster is a running API.
type Cluster struct {
	// Config is that of a member of system:masters, without rate limit.
	Config *rest.Config
	// Kubeconfig is the same as a kubeconfig with inline credentials.
	Kubeconfig []byte
	// Client is a client made from Config.
	Client kubernetes.Interface

	t         testing.TB
	dir, bin  string
	apiserver *process
	apiArgs   []string
}

// Bin returns the path of a program, and skips the test where there is none.
func Bin(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(BinVariable)
	if dir == "" {
		t.Skipf("%s is not set: run make test, which builds etcd and the kube-apiserver that this test needs", BinVariable)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s=%s has no %s: %v", BinVariable, dir, name, err)
	}
	return path
}

// Start starts a cluster. Tests that share one start it in TestMain's stead
// with a parent test, or name their namespaces apart.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	Bin(t, "etcd")
	c := &Cluster{t: t, dir: t.TempDir(), bin: os.Getenv(BinVariable)}
	keys, err := newKeys()
	if err != nil {
		t.Fatalf("making certificates: %v", err)
	}
	if err := keys.write(c.dir); err != nil {
		t.Fatalf("writing certificates: %v", err)
	}
	ports := freePorts(t, 3)
	etcd, peer, api := ports[0], ports[1], ports[2]

	c.start("etcd",
		"--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls="+etcd.http(), "--advertise-client-urls="+etcd.http(),
		"--listen-peer-urls="+peer.http(), "--initial-advertise-peer-urls="+peer.http(),
		"--initial-cluster=default="+peer.http())
	c.apiArgs = []string{
		"--etcd-servers=" + etcd.http(),
		"--bind-address=127.0.0.1", "--advertise-address=10.255.255.1", "--secure-port=" + strconv.Itoa(int(api)),
		"--cert-dir=" + c.dir,
		"--tls-cert-file=" + c.path("server.crt"), "--tls-private-key-file=" + c.path("server.key"),
		"--client-ca-file=" + c.path("ca.crt"),
		"--service-account-key-file=" + c.path("ca.key"), "--service-account-signing-key-file=" + c.path("ca.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
		"--authorization-mode=RBAC", "--allow-privileged=true",
	}
	c.apiserver = c.start("kube-apiserver", c.apiArgs...)

	c.Config = &rest.Config{
		Host:            "https://" + api.address(),
		TLSClientConfig: rest.TLSClientConfig{CAData: keys.ca.cert, CertData: keys.admin.cert, KeyData: keys.admin.key},
		QPS:             -1,
	}
	if c.Kubeconfig, err = kubeconfig(c.Config); err != nil {
		t.Fatalf("writing the kubeconfig: %v", err)
	}
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatalf("making a client: %v", err)
	}
	c.waitReady()
	if options.Controllers {
		c.startControllers()
	}
	return c
}

// StopAPI kills the kube-apiserver, as a target that goes down would.
func (c *Cluster) StopAPI() {
	c.t.Helper()
	c.apiserver.kill()
}

// StartAPI starts the kube-apiserver again after StopAPI.
func (c *Cluster) StartAPI() {
	c.t.Helper()
	c.apiserver = c.start("kube-apiserver", c.apiArgs...)
	c.waitReady()
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) waitReady() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), startTimeout)
	defer cancel()
	for {
		status := 0
		err := c.Client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status).Error()
		if err == nil && status == http.StatusOK {
			return
		}
		if c.apiserver.exited() {
			c.t.Fatalf("kube-apiserver ended: %s", c.apiserver.tail())
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("kube-apiserver is not ready after %s: %v\n%s", startTimeout, err, c.apiserver.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func kubeconfig(config *rest.Config) ([]byte, error) {
	const name = "env"
	k := clientcmdapi.NewConfig()
	k.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	k.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	k.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	k.CurrentContext = name
	return clientcmd.Write(*k)
}

type port int

func (p port) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(p))) }
func (p port) http() string    { return "http://" + p.address() }

// FreeAddress returns an address, host:port, that was free a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return freePorts(t, 1)[0].address()
}

// freePorts returns ports that were free a moment ago, all of them different.
func freePorts(t testing.TB, n int) []port {
	t.Helper()
	ports := make([]port, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("looking for a free port: %v", err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = port(l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (k *keys) write(dir string) error {
	for name, data := range map[string][]byte{
		"ca.crt": k.ca.cert, "ca.key": k.ca.key,
		"server.crt": k.server.cert, "server.key": k.server.key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
