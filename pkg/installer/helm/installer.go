// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"errors"
	"path/filepath"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/kube"

	"ksit.io/ksit/pkg/drift"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/helm/render"
	"ksit.io/ksit/pkg/rewrite"
)

const (
	defaultCacheBytes = 512 << 20
	defaultRenders    = 4
)

// Options say where charts come from, and what handling them may take.
type Options struct {
	// Fetch downloads indexes and archives. Its cache should have room for
	// the largest index in use, some 10 MiB, four times over.
	Fetch *fetch.Client
	// Rewrites is the operator's table; nil has none. Fetch has the same one.
	Rewrites *rewrite.Table
	// ChartsDir is a directory of archives named chart-version.tgz, which is
	// looked through before any repository. Empty: there is none.
	ChartsDir string
	// CacheDir is where downloaded archives are kept by digest. Empty: they
	// are not kept.
	CacheDir string
	// CacheBytes bounds CacheDir. Default 512 MiB.
	CacheBytes int64
	// AllowLocalSources admits plain HTTP to OCI registries on loopback.
	AllowLocalSources bool
	// Renderer renders charts; nil means one that starts this program.
	Renderer *render.Renderer
	// Lookup says what templates see of the target; empty means LookupRelease.
	Lookup LookupPolicy
	// Renders bounds the charts that are rendered and applied at once. Default
	// 4: a large one takes some 50 MB and most of a processor. Waiting for what
	// was applied does not count.
	Renders int
}

// Installer installs charts.
type Installer struct {
	rewrites *rewrite.Table
	sources  *sources
	caps     *capabilityCache
	objects  *objectCache
	drift    *drift.Checker
	renderer *render.Renderer
	lookups  LookupPolicy
	// renders has a token for each chart that is being rendered or applied.
	renders chan struct{}
	now     func() time.Time
}

var _ installer.Installer = (*Installer)(nil)

// Helm's client takes the name it writes under from a variable of its package,
// else from the name of the program, which may be anything.
var setFieldManager = sync.OnceFunc(func() { kube.ManagedFieldsManager = FieldManager })

// New makes an installer. It fails where the cache cannot be used.
func New(options Options) (*Installer, error) {
	if options.Fetch == nil {
		return nil, errors.New("the Helm installer needs a fetch client")
	}
	if options.CacheBytes <= 0 {
		options.CacheBytes = defaultCacheBytes
	}
	if options.Renders <= 0 {
		options.Renders = defaultRenders
	}
	if options.Lookup == "" {
		options.Lookup = LookupRelease
	}
	if options.Renderer == nil {
		var err error
		if options.Renderer, err = render.New(render.Options{}); err != nil {
			return nil, err
		}
	}
	setFieldManager()
	cacheDir := options.CacheDir
	if cacheDir != "" {
		cacheDir = filepath.Join(cacheDir, "charts")
	}
	archives, err := newArchiveCache(cacheDir, options.CacheBytes)
	if err != nil {
		return nil, err
	}
	return &Installer{
		rewrites: options.Rewrites,
		sources: &sources{
			fetch:    options.Fetch,
			rewrites: options.Rewrites,
			localDir: options.ChartsDir,
			archives: archives,
			indexes:  newIndexCache(),
			oci:      &ociRegistry{fetch: options.Fetch, rewrites: options.Rewrites, archives: archives, allowLocal: options.AllowLocalSources},
		},
		caps:     newCapabilityCache(),
		objects:  newObjectCache(),
		drift:    drift.NewChecker(),
		renderer: options.Renderer,
		lookups:  options.Lookup,
		renders:  make(chan struct{}, options.Renders),
		now:      time.Now,
	}, nil
}
