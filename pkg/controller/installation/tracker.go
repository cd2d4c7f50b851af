// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/cluster"
)

// settle is how long a change on a target waits for those that come with it,
// before the Installation is probed.
const settle = 300 * time.Millisecond

// tracker has an Installation probed when a workload of its own changes on the
// target, so that status follows within seconds rather than at the next probe.
type tracker struct {
	mu      sync.Mutex
	targets map[types.NamespacedName]*trackedTarget
}

// trackedTarget knows whose the workloads of one target are.
type trackedTarget struct {
	connection *cluster.Connection
	remove     func()
	byWorkload map[object.ObjMetadata]map[types.NamespacedName]bool
	workloads  map[types.NamespacedName][]object.ObjMetadata
}

// track replaces what is known of the workloads of an Installation. Whenever one
// of them changes, probe is called, and must not block. The connection is the one
// that all tenants of a target share: one watch is enough, and no more comes of
// it than a probe, which is the tenant's own.
func (t *tracker) track(key types.NamespacedName, connection *cluster.Connection, objects object.ObjMetadataSet, probe func(types.NamespacedName, time.Duration)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.targets == nil {
		t.targets = map[types.NamespacedName]*trackedTarget{}
	}
	target := t.targets[connection.Name()]
	if target == nil {
		target = &trackedTarget{
			byWorkload: map[object.ObjMetadata]map[types.NamespacedName]bool{},
			workloads:  map[types.NamespacedName][]object.ObjMetadata{},
		}
		t.targets[connection.Name()] = target
	}
	if target.connection != connection {
		if target.remove != nil {
			target.remove()
		}
		name := connection.Name()
		target.connection = connection
		target.remove = connection.OnWorkloadChange(func(changed object.ObjMetadata) {
			for _, key := range t.owners(name, changed) {
				probe(key, settle)
			}
		})
	}
	target.drop(key)
	for _, o := range objects {
		if o.GroupKind.Group != "apps" {
			continue
		}
		if target.byWorkload[o] == nil {
			target.byWorkload[o] = map[types.NamespacedName]bool{}
		}
		target.byWorkload[o][key] = true
		target.workloads[key] = append(target.workloads[key], o)
	}
}

// forget drops an Installation that is gone.
func (t *tracker) forget(key types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, target := range t.targets {
		target.drop(key)
		if len(target.workloads) == 0 {
			target.remove()
			delete(t.targets, name)
		}
	}
}

func (t *trackedTarget) drop(key types.NamespacedName) {
	for _, o := range t.workloads[key] {
		delete(t.byWorkload[o], key)
		if len(t.byWorkload[o]) == 0 {
			delete(t.byWorkload, o)
		}
	}
	delete(t.workloads, key)
}

// owners returns the Installations that a workload of a target belongs to.
func (t *tracker) owners(target types.NamespacedName, workload object.ObjMetadata) []types.NamespacedName {
	t.mu.Lock()
	defer t.mu.Unlock()
	tracked := t.targets[target]
	if tracked == nil {
		return nil
	}
	return slices.Collect(maps.Keys(tracked.byWorkload[workload]))
}
