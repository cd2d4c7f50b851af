// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	utilcache "k8s.io/apimachinery/pkg/util/cache"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
)

const (
	// connectionAge is for how long a kubeconfig is taken for current without
	// another look at its Secret: kubectl sends dozens of requests in a row.
	connectionAge = 5 * time.Second
	// maxConnections is of how many targets that is remembered.
	maxConnections = 1000
)

// Connector connects to targets.
type Connector interface {
	// Connect returns the connection to a target, or an error of the API.
	Connect(ctx context.Context, target *v1alpha1.IntegrationTarget) (*cluster.Connection, error)
}

// recent is a Connector that answers from memory for a few seconds.
type recent struct {
	Connector
	connections *utilcache.LRUExpireCache
}

// version is what a connection depends on that the IntegrationTarget says.
type version struct {
	name       types.NamespacedName
	uid        types.UID
	generation int64
}

func newRecent(connector Connector) *recent {
	return &recent{Connector: connector, connections: utilcache.NewLRUExpireCache(maxConnections)}
}

// Connect implements Connector.
func (r *recent) Connect(ctx context.Context, target *v1alpha1.IntegrationTarget) (*cluster.Connection, error) {
	key := version{types.NamespacedName{Namespace: target.Namespace, Name: target.Name}, target.UID, target.Generation}
	if cached, found := r.connections.Get(key); found {
		connection := cached.(*cluster.Connection)
		select {
		case <-connection.Closed():
			r.connections.Remove(key)
		default:
			return connection, nil
		}
	}
	connection, err := r.Connector.Connect(ctx, target)
	if err != nil {
		return nil, err
	}
	r.connections.Add(key, connection, connectionAge)
	return connection, nil
}
