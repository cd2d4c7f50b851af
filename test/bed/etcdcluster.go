// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"ksit.io/ksit/test/bed/internal/pki"
)

// EtcdClusterOptions say what etcd is wanted.
type EtcdClusterOptions struct {
	// Name tells it apart from others of the bed; etcd by default.
	Name string
	// Members is their number, 3 by default.
	Members int
	// Hosts are addresses of this machine at which clients reach the members beside
	// the loopback address, such as the Gateway of a real node.
	Hosts []string
}

// EtcdCluster is an etcd of several members, each a process of the bed. Peers
// and clients prove themselves with certificates of an authority of its own.
type EtcdCluster struct {
	// Name is that of the options.
	Name string
	// Members are its processes.
	Members []*EtcdMember
	// Cert is what a client proves itself with: the files of a client certificate,
	// and of the authority that signed those of the members.
	Cert *CertFiles

	authority *pki.Authority
	hosts     []string
}

// EtcdMember is one process of an EtcdCluster.
type EtcdMember struct {
	// Name is what etcd calls it.
	Name string
	// Process is the program.
	Process *Process

	cluster *EtcdCluster
	port    int
	// frozen is whether it was stopped by SIGSTOP.
	frozen bool
}

// StartEtcdCluster starts an etcd beside the clusters, as one in production is: of
// several members, with TLS and client certificates. It returns when there is a
// leader. The timing of elections is etcd's own: a second without the leader.
func (b *Bed) StartEtcdCluster(ctx context.Context, options EtcdClusterOptions) (*EtcdCluster, error) {
	if options.Name == "" {
		options.Name = "etcd"
	}
	if options.Members == 0 {
		options.Members = 3
	}
	e := &EtcdCluster{Name: options.Name, hosts: append([]string{loopback}, options.Hosts...)}
	if err := e.writeCertificates(filepath.Join(b.Dir, e.Name+"-certs")); err != nil {
		return nil, err
	}
	if err := e.prepare(b, options.Members); err != nil {
		return nil, err
	}
	var group errgroup.Group
	for _, member := range e.Members {
		if err := member.Process.Start(); err != nil {
			return nil, err
		}
		group.Go(func() error { return member.wait(ctx) })
	}
	return e, group.Wait()
}

// prepare makes the processes of the members.
func (e *EtcdCluster) prepare(b *Bed, members int) error {
	peers := make([]listenAddress, members)
	var initial []string
	for i := range members {
		client, err := b.listenAddress()
		if err != nil {
			return err
		}
		if peers[i], err = b.listenAddress(); err != nil {
			return err
		}
		member := &EtcdMember{Name: fmt.Sprintf("%s-%d", e.Name, i), cluster: e, port: client.port}
		e.Members = append(e.Members, member)
		initial = append(initial, member.Name+"=https://"+peers[i].String())
	}
	for i, member := range e.Members {
		peer := "https://" + peers[i].String()
		clients := strings.Join(member.urls(), ",")
		member.Process = b.etcdProcess(member.Name, []string{
			"--name=" + member.Name,
			"--data-dir=" + filepath.Join(b.Dir, member.Name),
			"--listen-client-urls=" + clients,
			"--advertise-client-urls=" + clients,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + strings.Join(initial, ","),
			"--initial-cluster-token=" + e.Name,
			"--client-cert-auth", "--trusted-ca-file=" + e.Cert.CA,
			"--cert-file=" + e.file("member.crt"), "--key-file=" + e.file("member.key"),
			"--peer-client-cert-auth", "--peer-trusted-ca-file=" + e.Cert.CA,
			"--peer-cert-file=" + e.file("member.crt"), "--peer-key-file=" + e.file("member.key"),
			// The data dies with the bed, so that nothing needs to reach the disk.
			"--unsafe-no-fsync",
		})
	}
	return nil
}

func (e *EtcdCluster) file(name string) string { return filepath.Join(filepath.Dir(e.Cert.CA), name) }

func (e *EtcdCluster) writeCertificates(dir string) error {
	var err error
	if e.authority, err = pki.NewAuthority(e.Name); err != nil {
		return err
	}
	member, err := e.authority.Peer(append([]string{"localhost"}, e.hosts...)...)
	if err != nil {
		return err
	}
	client, err := e.authority.Client("ksit")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	e.Cert = &CertFiles{CA: filepath.Join(dir, "ca.crt"), CAPEM: e.authority.Cert}
	e.Cert.Cert, e.Cert.Key = e.file("client.crt"), e.file("client.key")
	for path, content := range map[string][]byte{
		e.Cert.CA:            e.Cert.CAPEM,
		e.Cert.Cert:          client.Cert,
		e.Cert.Key:           client.Key,
		e.file("member.crt"): member.Cert,
		e.file("member.key"): member.Key,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing the certificates of %s: %w", e.Name, err)
		}
	}
	return nil
}

// Endpoints are the URLs of the members for clients on a host: the loopback
// address when it is empty, otherwise one of the options' hosts.
func (e *EtcdCluster) Endpoints(host string) []string {
	if host == "" {
		host = loopback
	}
	var urls []string
	for _, member := range e.Members {
		urls = append(urls, member.url(host))
	}
	return urls
}

// Flags are the flags of KSIT for this etcd.
func (e *EtcdCluster) Flags() []string {
	return []string{
		"--etcd-servers=" + strings.Join(e.Endpoints(""), ","),
		"--etcd-cafile=" + e.Cert.CA,
		"--etcd-certfile=" + e.Cert.Cert,
		"--etcd-keyfile=" + e.Cert.Key,
	}
}

// Kill ends all members at once with SIGKILL.
func (e *EtcdCluster) Kill() {
	for _, member := range e.Members {
		member.Kill()
	}
}

// Start starts all members, after Kill, and returns when there is a leader.
func (e *EtcdCluster) Start(ctx context.Context) error {
	var group errgroup.Group
	for _, member := range e.Members {
		group.Go(func() error { return member.Start(ctx) })
	}
	return group.Wait()
}

// URL is where a client on this machine reaches the member.
func (m *EtcdMember) URL() string { return m.url(loopback) }

func (m *EtcdMember) url(host string) string {
	return "https://" + listenAddress{host: host, port: m.port}.String()
}

func (m *EtcdMember) urls() []string {
	var urls []string
	for _, host := range m.cluster.hosts {
		urls = append(urls, m.url(host))
	}
	return urls
}

// Kill ends the member with SIGKILL. Its data stays.
func (m *EtcdMember) Kill() {
	m.frozen = false
	m.Process.Kill()
}

// Start starts the member after Kill and returns when it follows a leader, or is
// it. Without a majority that is never.
func (m *EtcdMember) Start(ctx context.Context) error {
	if err := m.Process.Start(); err != nil {
		return err
	}
	return m.wait(ctx)
}

// Freeze stops the member in the middle of what it does: its connections stay
// open and nothing comes out of them.
func (m *EtcdMember) Freeze() error {
	if m.frozen {
		return errors.New(m.Name + " is frozen already")
	}
	m.frozen = true
	return m.Process.Signal(syscall.SIGSTOP)
}

// Thaw lets a frozen member go on.
func (m *EtcdMember) Thaw() error {
	m.frozen = false
	return m.Process.Signal(syscall.SIGCONT)
}

// wait waits until the member knows a leader.
func (m *EtcdMember) wait(ctx context.Context) error {
	return waitForEtcd(ctx, m.Process, func(ctx context.Context) error {
		status, err := m.status(ctx)
		if err != nil {
			return err
		}
		if status.Leader == 0 {
			return errors.New("there is no leader")
		}
		return nil
	})
}
