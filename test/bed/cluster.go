// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/test/bed/internal/pki"
	"ksit.io/ksit/test/bed/internal/process"
	"ksit.io/ksit/test/bed/operators/certgen"
	"ksit.io/ksit/test/bed/operators/istio"
)

// Component names a program of a cluster.
type Component string

// The components. The host has neither scheduler nor nodes, unless it has a real
// one: nothing runs there.
const (
	Etcd               Component = "etcd"
	APIServer          Component = "kube-apiserver"
	ControllerManager  Component = "kube-controller-manager"
	Scheduler          Component = "kube-scheduler"
	Kwok               Component = "kwok"
	PrometheusOperator Component = "prometheus-operator"
)

// role is what a cluster is for.
type role string

const (
	host   role = "host"
	target role = "target"
)

// Cluster is a Kubernetes cluster: a control plane and, on a target, nodes
// that kwok plays. The host may have a real one.
type Cluster struct {
	Name string
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string
	// Server is the URL of the API server.
	Server string
	// FrontProxyCA is the path of the certificate authority of the
	// aggregation layer, by which an aggregated server knows the kube-apiserver.
	FrontProxyCA string

	bed        *Bed
	role       role
	dir        string
	clientCA   *pki.Authority
	config     *rest.Config
	etcd       listenAddress
	network    *podNetwork
	node       *Node
	components map[Component]*process.Process
}

// newCluster only names things; up makes and starts them.
func (b *Bed) newCluster(name string, role role) *Cluster {
	dir := filepath.Join(b.Dir, name)
	return &Cluster{
		Name:         name,
		Kubeconfig:   filepath.Join(b.Dir, name+".kubeconfig"),
		FrontProxyCA: filepath.Join(dir, "front-proxy-ca.crt"),
		bed:          b,
		role:         role,
		dir:          dir,
		components:   map[Component]*process.Process{},
	}
}

func (c *Cluster) up(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	for _, component := range []Component{Etcd, APIServer} {
		if err := c.Start(ctx, component); err != nil {
			return err
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.Start(groupCtx, ControllerManager) })
	if c.role == target {
		group.Go(func() error { return c.Start(groupCtx, Scheduler) })
		group.Go(func() error {
			if err := c.createStorageClass(groupCtx); err != nil {
				return err
			}
			if err := c.createNodes(groupCtx); err != nil {
				return err
			}
			if err := c.Start(groupCtx, Kwok); err != nil {
				return err
			}
			return c.waitForNodes(groupCtx)
		})
	}
	if c.node != nil {
		group.Go(func() error { return c.Start(groupCtx, Scheduler) })
		group.Go(func() error { return c.createStorageClass(groupCtx) })
		group.Go(func() error { return c.node.join(groupCtx, c) })
	}
	group.Go(func() error { return c.waitForServiceAccount(groupCtx) })
	if err := group.Wait(); err != nil {
		return err
	}
	if c.role == target || c.node != nil {
		c.bed.goBackground(c.provision)
	}
	if c.role == target {
		c.operate("istiod", istio.Run)
		c.operate("kube-webhook-certgen", certgen.Run)
		if c.bed.options.PrometheusOperator {
			c.bed.goBackground(c.operatePrometheus)
		}
	}
	return nil
}

// Start starts a component that was stopped or killed and returns when it
// serves: the API server when it is ready, the others when they run.
func (c *Cluster) Start(ctx context.Context, component Component) error {
	p, err := c.component(component)
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	switch component {
	case Etcd:
		err = waitFor(ctx, p, 30*time.Second, c.etcdListens)
	case APIServer:
		err = waitFor(ctx, p, 90*time.Second, c.ready)
	}
	if err != nil {
		return fmt.Errorf("waiting for %s, whose log is %s: %w", component, p.LogFile(), err)
	}
	return nil
}

// Stop ends a component in an orderly way. With a watch open an API server
// takes its time for that; Kill does not.
func (c *Cluster) Stop(ctx context.Context, component Component) error {
	p, err := c.component(component)
	if err != nil {
		return err
	}
	return p.Stop(ctx)
}

// Kill ends a component with SIGKILL, as a crash would.
func (c *Cluster) Kill(component Component) error {
	p, err := c.component(component)
	if err != nil {
		return err
	}
	p.Kill()
	return nil
}

// Running tells whether a component runs at this moment.
func (c *Cluster) Running(component Component) bool {
	p, err := c.component(component)
	return err == nil && p.Running()
}

// Log returns the path of the log of a component.
func (c *Cluster) Log(component Component) string {
	return filepath.Join(c.dir, string(component)+".log")
}

func (c *Cluster) component(component Component) (*process.Process, error) {
	p, ok := c.components[component]
	if !ok {
		return nil, fmt.Errorf("cluster %s has no %s", c.Name, component)
	}
	return p, nil
}

// kill ends all components at once: nobody needs the cluster's data any more.
func (c *Cluster) kill() {
	for _, component := range []Component{PrometheusOperator, Kwok, Scheduler, ControllerManager, APIServer, Etcd} {
		if p, ok := c.components[component]; ok {
			p.Kill()
		}
	}
	if c.network != nil {
		c.network.close()
	}
}

// waitFor polls until check holds, the process ends, or the time is up.
func waitFor(ctx context.Context, p *process.Process, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := p.Done()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("it ended; its last words:\n%s", p.LogTail(10))
		case <-ctx.Done():
			return fmt.Errorf("%w; last seen: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// poll calls check until it returns nil or ctx is done.
func poll(ctx context.Context, interval time.Duration, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last seen: %w", context.Cause(ctx), err)
		case <-time.After(interval):
		}
	}
}
