// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
)

const (
	// DefaultQuotaBytes is how large the database may grow before writes are
	// refused.
	DefaultQuotaBytes = 2 << 30
	// maxRequestBytes bounds one write. The API server takes bodies of up to
	// 3 MiB, most of them JSON, which shrink when they are stored; the etcd
	// client sends at most 2 MiB.
	maxRequestBytes = 2 << 20
	// MemberName is what the one member is called.
	MemberName = "ksit"
)

// ErrInUse means that another process owns the data directory.
var ErrInUse = errors.New("the data directory is in use by another process")

// Options say where the data is kept and how it is looked after.
type Options struct {
	// Dir holds everything: lock, socket, write-ahead log, database. It is made
	// when missing and is closed to other users.
	Dir string
	// QuotaBytes is how large the database may grow; zero is DefaultQuotaBytes.
	QuotaBytes int64
	// UnsafeNoFsync does not wait for the disk. A crash of the machine loses
	// data; a crash of the process does not. For throw-away beds only.
	UnsafeNoFsync bool
	// Maintenance says when space is given back.
	Maintenance Maintenance
	// Metrics is filled in when not nil. One set serves one Server.
	Metrics *Metrics
}

// Server is a running etcd. It is made by Open.
type Server struct {
	etcd     *embed.Etcd
	lock     *fileutil.LockedFile
	socket   *socket
	quota    int64
	metrics  *Metrics
	phase    atomic.Int32
	stop     context.CancelFunc
	stopped  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// Open starts etcd on the directory and returns when it serves, or when ctx is
// done. It fails at once with ErrInUse when another process has the directory,
// and leaves nothing running when it fails. After a crash it recovers what was
// acknowledged; sockets and locks left behind do not hinder it.
func Open(ctx context.Context, opts Options) (_ *Server, err error) {
	if opts.Dir == "" {
		return nil, errors.New("etcd needs a data directory")
	}
	if opts.QuotaBytes == 0 {
		opts.QuotaBytes = DefaultQuotaBytes
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("resolving the data directory %s: %w", opts.Dir, err)
	}
	if err := makePrivateDir(dir); err != nil {
		return nil, err
	}
	lock, err := acquire(lockPath(dir))
	if err != nil {
		return nil, err
	}
	s := &Server{lock: lock, quota: opts.QuotaBytes, metrics: opts.Metrics, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := refuseUnfinished(dir); err != nil {
		return nil, err
	}
	if s.socket, err = makeSocket(dir); err != nil {
		return nil, err
	}
	if s.etcd, err = embed.StartEtcd(s.config(ctx, dir, opts)); err != nil {
		return nil, fmt.Errorf("starting etcd on %s: %w", dir, err)
	}
	select {
	case <-s.etcd.Server.ReadyNotify():
	case err := <-s.etcd.Err():
		return nil, fmt.Errorf("starting etcd on %s: %w", dir, err)
	case <-s.etcd.Server.StopNotify():
		return nil, fmt.Errorf("starting etcd on %s: it stopped before it was ready", dir)
	case <-ctx.Done():
		return nil, fmt.Errorf("starting etcd on %s: %w", dir, context.Cause(ctx))
	}

	s.phase.Store(phaseServing)

	// Maintenance outlives ctx, which bounds the start only.
	var maintain context.Context
	maintain, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.stopped.Go(func() { s.maintain(maintain, opts.Maintenance.withDefaults()) })
	klog.FromContext(ctx).Info("etcd is ready", "dir", dir, "endpoint", s.Endpoint(), "quotaBytes", s.quota)
	return s, nil
}

// Endpoint is what an etcd client of this process connects to.
func (s *Server) Endpoint() string {
	return s.socket.endpoint()
}

// Done is closed when etcd has stopped, by Close or by itself.
func (s *Server) Done() <-chan struct{} {
	return s.etcd.Server.StopNotify()
}

// Close stops etcd and gives up the directory. Close what uses the endpoint
// first: it waits some seconds for open requests. Further calls return what the
// first one returned.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.phase.Store(phaseClosing)
		s.stop()
		s.stopped.Wait()
		if s.etcd != nil {
			s.etcd.Close()
		}
		if s.socket != nil {
			s.closeErr = s.socket.remove()
		}
		// The lock goes last: until now a second process must not start.
		if err := s.lock.Close(); err != nil {
			s.closeErr = errors.Join(s.closeErr, fmt.Errorf("releasing the data directory: %w", err))
		}
	})
	return s.closeErr
}

// makePrivateDir makes the directory, or checks that it is one, and closes it to
// others: the socket in it asks for no credentials.
func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory needs its x bit
		return fmt.Errorf("closing the data directory to other users: %w", err)
	}
	return nil
}

// acquire locks the file for this process. The kernel drops the lock when the
// process dies, however it dies. etcd has a lock of its own, but waits for it
// without end.
func acquire(path string) (*fileutil.LockedFile, error) {
	lock, err := fileutil.TryLockFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		owner, readErr := os.ReadFile(path)
		if readErr != nil || len(owner) == 0 {
			owner = []byte("unknown")
		}
		return nil, fmt.Errorf("%w: %s is locked by process %s", ErrInUse, path, owner)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	// The number is for the reader of the message above; the lock is the truth.
	if err := lock.Truncate(0); err == nil {
		_, err = fmt.Fprint(lock, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", path, err), lock.Close())
	}
	return lock, nil
}

func (s *Server) config(ctx context.Context, dir string, opts Options) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name = MemberName
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.Dir = MemberDir(dir)
	client := url.URL{Scheme: "unix", Path: s.socket.path}
	cfg.ListenClientUrls = []url.URL{client}
	cfg.AdvertiseClientUrls = []url.URL{client}
	// A single member has no peers to listen for. The advertised peer URL stays
	// the library's default: it goes into the member's identity and so must not
	// depend on the directory.
	cfg.ListenPeerUrls = nil
	cfg.EnableGRPCGateway = false
	cfg.QuotaBackendBytes = opts.QuotaBytes
	cfg.MaxRequestBytes = maxRequestBytes
	cfg.UnsafeNoFsync = opts.UnsafeNoFsync
	// Watches that see no changes of their own still learn the revision; the
	// watch cache serves consistent lists by it.
	cfg.WatchProgressNotifyInterval = 5 * time.Second
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(logCore{
		logger: klog.FromContext(ctx).WithName("etcd"),
		phase:  &s.phase,
	}))
	return cfg
}
