// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/client-go/discovery"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/cluster"
)

// capabilitiesFresh is how long what a target can is taken to stay the same.
// Helm asks anew for each release, which for large targets is most of what an
// install of a small chart reads.
const capabilitiesFresh = 10 * time.Second

// capabilityCache keeps what the targets can, one entry for each of them: it is
// the same for all tenants.
type capabilityCache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[*cluster.Connection]capabilityEntry
}

type capabilityEntry struct {
	capabilities *chartutil.Capabilities
	at           time.Time
}

func newCapabilityCache() *capabilityCache {
	return &capabilityCache{now: time.Now, entries: map[*cluster.Connection]capabilityEntry{}}
}

// get returns what templates see of a target, with the CRDs as if they were
// applied.
func (c *capabilityCache) get(ctx context.Context, conn *cluster.Connection, crds []crd) (*chartutil.Capabilities, error) {
	c.mu.Lock()
	entry, ok := c.entries[conn.Base()]
	c.mu.Unlock()
	if !ok || c.now().Sub(entry.at) > capabilitiesFresh {
		capabilities, err := discover(ctx, conn)
		if err != nil {
			return nil, err
		}
		entry = capabilityEntry{capabilities, c.now()}
		c.put(conn, entry)
	}
	all := entry.capabilities.Copy()
	all.APIVersions = slices.Clone(all.APIVersions)
	for i := range crds {
		for _, gvk := range crds[i].versions() {
			gv := gvk.GroupVersion().String()
			for _, id := range []string{gv, gv + "/" + gvk.Kind} {
				if !all.APIVersions.Has(id) {
					all.APIVersions = append(all.APIVersions, id)
				}
			}
		}
	}
	return all, nil
}

// put keeps an entry, and drops those of connections that are closed or old.
func (c *capabilityCache) put(conn *cluster.Connection, entry capabilityEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, e := range c.entries {
		if c.now().Sub(e.at) > capabilitiesFresh {
			delete(c.entries, other)
		}
	}
	c.entries[conn.Base()] = entry
}

// forget is called when the target serves something new.
func (c *capabilityCache) forget(conn *cluster.Connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, conn.Base())
}

func discover(ctx context.Context, conn *cluster.Connection) (*chartutil.Capabilities, error) {
	client := conn.Discovery()
	client.Invalidate()
	version, err := client.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("reading the version of the target: %w", err)
	}
	apis, err := action.GetVersionSet(client)
	if err != nil {
		// An API service without a server behind it: the rest is there.
		if !discovery.IsGroupDiscoveryFailedError(err) {
			return nil, fmt.Errorf("reading what the target serves: %w", err)
		}
		klog.FromContext(ctx).V(2).Info("Target has API groups that do not answer", "target", conn.Name())
	}
	return &chartutil.Capabilities{
		APIVersions: apis,
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}
