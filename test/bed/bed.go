// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bed brings up, in seconds and without containers, what KSIT needs
// around it: a host cluster to be registered with, clusters to install on, and
// a server of charts. Everything that answers is the real program (etcd,
// kube-apiserver, the controller manager, the scheduler, the Prometheus
// operator) as a process on the loopback address; only the nodes are played,
// by kwok, which says of every pod that it runs and of every Job that it is
// complete.
//
// Beds do not share anything, so that any number of them can be up at a time.
// Nothing that a bed started outlives it: Close stops it all, and if the
// process that holds the bed is killed, so are its children, and its directory
// is removed by whichever bed is brought up next.
package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"ksit.io/ksit/test/bed/internal/pki"
	"ksit.io/ksit/test/bed/internal/ports"
	"ksit.io/ksit/test/bed/internal/process"
	"ksit.io/ksit/test/bed/internal/toolchain"
)

// HostName is the name of the host cluster.
const HostName = "host"

// TargetName is the name of the target with the given number, counted from 1.
func TargetName(number int) string { return fmt.Sprintf("production-cluster-%d", number) }

// Options say what bed is wanted. The zero value is a host without targets.
type Options struct {
	// Name tells the bed apart from others below the same Dir. It must not
	// be in use. By default it is made up.
	Name string
	// Dir holds the tools, shared by all beds, and each bed's data and logs;
	// ksit-bed in the user's cache directory by default.
	Dir string
	// Targets is the number of clusters to install on.
	Targets int
	// Nodes is the number of nodes of each target, 3 by default.
	Nodes int
	// PrometheusOperator runs the real operator beside each target, from the
	// moment that its kinds are served there.
	PrometheusOperator bool
	// RealNode gives the host a node on which pods really run; see NodeUnavailable.
	RealNode bool
	// KeepData leaves data and logs on disk when the bed is closed.
	KeepData bool
	// Log receives a line for each step that takes time; nothing by default.
	Log io.Writer
}

// Tools are the paths of the programs that a bed is made of, kubectl and helm
// among them.
type Tools = toolchain.Tools

// Bed is a running set of clusters.
type Bed struct {
	Name string
	// Dir holds the bed's data, kubeconfigs and logs.
	Dir string
	// Host is the cluster that KSIT registers with.
	Host *Cluster
	// Targets are the clusters that KSIT installs on.
	Targets []*Cluster
	// Node is the real node of the host; nil unless it was asked for.
	Node *Node
	// Charts is the server of the stand-ins for the charts of the world.
	Charts *Charts
	// RewritesFile is a table for KSIT that leads the addresses of the
	// world's charts to Charts.
	RewritesFile string
	// Tools are the programs.
	Tools *Tools

	options   Options
	authority *pki.Authority
	ports     *ports.Range
	spawner   *process.Spawner
	claim     *claim
	log       *os.File

	// background holds the goroutines of the bed; stop ends them.
	background sync.WaitGroup
	ctx        context.Context
	stop       context.CancelFunc

	mu        sync.Mutex
	processes []*Process
	relays    []*Relay
	closed    bool
	abandoned bool
	closeErr  error
}

// BuildTools builds all programs of a bed below dir, or the default directory
// if that is empty, unless they are there. Those of a real node are left out where
// none can run.
func BuildTools(ctx context.Context, dir string, log io.Writer) (*Tools, error) {
	dir, err := directory(dir)
	if err != nil {
		return nil, err
	}
	wanted := toolchain.Wanted{PrometheusOperator: true, RealNode: NodeUnavailable() == nil}
	return toolchain.Build(ctx, filepath.Join(dir, "tools"), wanted, logfTo(log))
}

// Up brings up a bed. The caller must close it. When ctx is done before the
// bed is up, what was started is stopped; afterwards ctx has no effect.
func Up(ctx context.Context, options Options) (*Bed, error) {
	dir, err := directory(options.Dir)
	if err != nil {
		return nil, err
	}
	if options.Nodes == 0 {
		options.Nodes = defaultNodes
	}
	if options.RealNode {
		if err := NodeUnavailable(); err != nil {
			return nil, fmt.Errorf("a real node cannot run here: %w", err)
		}
	}
	log := logfTo(options.Log)
	tools, err := toolchain.Build(ctx, filepath.Join(dir, "tools"), toolchain.Wanted{PrometheusOperator: options.PrometheusOperator, RealNode: options.RealNode}, log)
	if err != nil {
		return nil, err
	}
	if err := sweep(dir); err != nil {
		return nil, err
	}
	claim, err := claimName(dir, options.Name)
	if err != nil {
		return nil, err
	}
	b := &Bed{Name: claim.name, Dir: claim.dir, Tools: tools, options: options, claim: claim}
	b.spawner = process.NewSpawner(claim.ledger())
	b.ctx, b.stop = context.WithCancel(context.Background())
	if err = b.openLog(); err == nil {
		err = b.up(ctx, log)
	}
	if err != nil {
		// The reason matters more than what else goes wrong while cleaning
		// up. The logs may tell more of it: they stay until the next bed.
		b.abandoned = true
		_ = b.Close()
		return nil, fmt.Errorf("bringing up the bed %s, whose logs are in %s: %w", b.Name, b.Dir, err)
	}
	return b, nil
}

// openLog gives what the bed does in the background a log of its own: warnings
// about watches that end when a test kills an API server are nobody's news.
func (b *Bed) openLog() error {
	var err error
	b.log, err = os.OpenFile(filepath.Join(b.Dir, "bed.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	b.ctx = klog.NewContext(b.ctx, textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(b.log))))
	return nil
}

func (b *Bed) up(ctx context.Context, log toolchain.Logf) error {
	begin := time.Now()
	log("starting a host cluster and %d target clusters …", b.options.Targets)
	var err error
	if b.ports, err = ports.NewRange(); err != nil {
		return err
	}
	if b.authority, err = pki.NewAuthority("bed-" + b.Name); err != nil {
		return err
	}
	if err := b.startCharts(); err != nil {
		return err
	}
	b.Host = b.newCluster(HostName, host)
	if b.options.RealNode {
		if b.Node, err = b.newNode(); err != nil {
			return err
		}
		// First, because the host's API server listens on its link.
		if err := b.Node.isolate(ctx); err != nil {
			return fmt.Errorf("setting up the node %s: %w", b.Node.Name, err)
		}
		b.Host.node = b.Node
	}
	for i := range b.options.Targets {
		b.Targets = append(b.Targets, b.newCluster(TargetName(i+1), target))
	}
	if err := b.writeState(false); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, c := range b.clusters() {
		group.Go(func() error {
			if err := c.up(groupCtx); err != nil {
				return fmt.Errorf("cluster %s: %w", c.Name, err)
			}
			log("  %s is up after %s", c.Name, time.Since(begin).Round(100*time.Millisecond))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return b.writeState(true)
}

func (b *Bed) clusters() []*Cluster {
	if b.Host == nil {
		return nil
	}
	return append([]*Cluster{b.Host}, b.Targets...)
}

// Cluster returns the cluster with the given name, nil if there is none.
func (b *Bed) Cluster(name string) *Cluster {
	for _, c := range b.clusters() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Close stops everything that the bed started and removes its directory,
// unless Options.KeepData. It may be called more than once.
func (b *Bed) Close() error {
	b.mu.Lock()
	if b.closed {
		defer b.mu.Unlock()
		return b.closeErr
	}
	b.closed = true
	processes, relays := b.processes, b.relays
	b.mu.Unlock()

	b.stop()
	// What the test started first, while there is still a cluster to say
	// goodbye to; then the clusters, whose data nobody needs.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	for i := len(processes) - 1; i >= 0; i-- {
		errs = append(errs, processes[i].Stop(ctx))
	}
	for _, r := range relays {
		errs = append(errs, r.Close())
	}
	var wait sync.WaitGroup
	for _, c := range b.clusters() {
		wait.Go(c.kill)
	}
	wait.Wait()
	if b.Node != nil {
		errs = append(errs, b.Node.close())
	}
	if b.Charts != nil {
		errs = append(errs, b.Charts.close())
	}
	b.background.Wait()
	b.spawner.Close()
	if b.ports != nil {
		errs = append(errs, b.ports.Close())
	}
	if b.log != nil {
		errs = append(errs, b.log.Close())
	}
	if b.abandoned {
		errs = append(errs, b.claim.abandon())
	} else {
		errs = append(errs, b.claim.release(b.options.KeepData))
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeErr = errors.Join(errs...)
	return b.closeErr
}

// goBackground runs f until the bed is closed.
func (b *Bed) goBackground(f func(ctx context.Context)) {
	b.background.Go(func() { f(b.ctx) })
}

func directory(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the directory for the bed: %w", err)
	}
	return filepath.Join(cache, "ksit-bed"), nil
}

func logfTo(w io.Writer) toolchain.Logf {
	if w == nil {
		w = io.Discard
	}
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, format+"\n", args...)
	}
}
