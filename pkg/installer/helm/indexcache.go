// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"crypto/sha256"
	"net/url"
	"strings"
	"sync"
	"time"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

const (
	// indexFresh is how long an index is used without asking for a newer one.
	indexFresh = 30 * time.Second
	// maxRepositories and maxChartsKept bound what is kept: of each repository
	// the versions of the charts that were asked for.
	maxRepositories = 64
	maxChartsKept   = 32
)

// indexCache keeps what indexes say of the charts that were asked for. The
// bytes of the indexes are with the fetch client, which asks for them on
// condition that they changed.
type indexCache struct {
	now func() time.Time

	mu sync.Mutex
	// repositories are by scope and URL: what one who has a password saw is not
	// shown to one who has none.
	repositories map[[2]string]*repositoryIndex
}

type repositoryIndex struct {
	// turn is held by whoever fetches or parses; the others wait for the
	// outcome instead of doing the same.
	turn    chan struct{}
	fetched time.Time
	used    time.Time
	digest  [sha256.Size]byte
	charts  map[string]chartVersions
}

func newIndexCache() *indexCache {
	return &indexCache{now: time.Now, repositories: map[[2]string]*repositoryIndex{}}
}

// get returns what the index of a reference's repository says of its chart, and
// whether that was fetched just now. With newest, it is.
func (c *indexCache) get(ctx context.Context, client *fetch.Client, ref chartRef, newest bool) (found chartVersions, fresh bool, err error) {
	repository, chart := ref.repository, ref.chart
	r := c.repository([2]string{client.Scope(), repository})
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return chartVersions{}, false, interrupted(ctx, "waiting for the index of "+fetch.Redact(repository))
	}
	if !newest && c.now().Sub(r.fetched) < indexFresh {
		if found, ok := r.charts[chart]; ok {
			return found, false, nil
		}
	}
	data, err := fetchIndex(ctx, client, ref)
	if err != nil {
		return chartVersions{}, false, err
	}
	r.fetched = c.now()
	if digest := sha256.Sum256(data); digest != r.digest || len(r.charts) >= maxChartsKept {
		r.digest, r.charts = digest, map[string]chartVersions{}
	}
	if found, ok := r.charts[chart]; ok {
		return found, true, nil
	}
	if found, err = parseIndex(data, chart); err != nil {
		return chartVersions{}, false, installer.Errorf(installer.ReasonRepositoryUnreachable,
			"the index.yaml of %s cannot be read: %w", fetch.Redact(repository), err)
	}
	r.charts[chart] = found
	return found, true, nil
}

func fetchIndex(ctx context.Context, client *fetch.Client, ref chartRef) ([]byte, error) {
	u, err := url.Parse(ref.repository)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "the repository is not a URL")
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/index.yaml"
	u.RawPath = ""
	data, err := client.Get(ctx, u.String(), fetch.Limits{MaxBytes: maxIndexBytes, Timeout: indexTimeout})
	if err == nil {
		return data, nil
	}
	err = fetchError(ctx, err, ref.access, "the index of the chart repository")
	if installer.ReasonOf(err) == installer.ReasonChartNotFound {
		return nil, installer.Errorf(installer.ReasonRepositoryUnreachable, "%s is not a chart repository: %w", fetch.Redact(ref.repository), err)
	}
	return nil, err
}

// repository returns the entry of a repository, and makes room for it.
func (c *indexCache) repository(name [2]string) *repositoryIndex {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.repositories[name]
	if !ok {
		if len(c.repositories) >= maxRepositories {
			c.evict()
		}
		r = &repositoryIndex{turn: make(chan struct{}, 1), charts: map[string]chartVersions{}}
		c.repositories[name] = r
	}
	r.used = c.now()
	return r
}

// evict forgets the repository that was not used for the longest time. Who
// uses it at the moment goes on with what he has.
func (c *indexCache) evict() {
	var oldest [2]string
	for name, r := range c.repositories {
		if c.repositories[oldest] == nil || r.used.Before(c.repositories[oldest].used) {
			oldest = name
		}
	}
	delete(c.repositories, oldest)
}
