// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// discoveryTimeout bounds one request of discovery, whose callers pass no
// context.
const discoveryTimeout = 15 * time.Second

// Connection is the connection to one target. Its methods are safe for
// concurrent use. Making one sends nothing: a target that is down shows when
// it is used.
//
// A connection that was replaced or dropped is closed: its watches end, its
// idle connections are given back, and Closed tells. Requests on it still go
// through, so that work begun with a kubeconfig that was rotated meanwhile can
// end; who starts new work gets the present connection from the Set.
type Connection struct {
	name      types.NamespacedName
	info      Info
	config    *rest.Config
	transport *http.Transport
	// relay carries the requests of ActAs.
	relay *relay

	kubernetes kubernetes.Interface
	dynamic    dynamic.Interface
	metadata   metadata.Interface
	discovery  discovery.CachedDiscoveryInterface
	mapper     *mapper
	workloads  *workloads

	closeOnce sync.Once
	closed    chan struct{}

	// base is nil but for the connection of a tenant, and identity then its own.
	base     *Connection
	identity Identity
	// tenants are the connections of tenants by the keys of their identities.
	tenantsMu sync.Mutex
	tenants   map[string]*Connection
}

// newConnection makes the clients of a connection. The config holds the rate
// limiter and the user agent.
func newConnection(name types.NamespacedName, parsed *rest.Config, info Info) (*Connection, error) {
	config, transport, err := newTransport(parsed)
	if err != nil {
		return nil, err
	}
	c := &Connection{name: name, info: info, config: config, transport: transport, closed: make(chan struct{})}
	if c.relay, err = newRelay(parsed, transport); err != nil {
		return nil, err
	}
	if err := c.makeClients(); err != nil {
		return nil, err
	}
	lookup, err := discovery.NewDiscoveryClientForConfigAndClient(rest.CopyConfig(config),
		&http.Client{Transport: config.Transport, Timeout: discoveryTimeout})
	if err != nil {
		return nil, fmt.Errorf("making the discovery client for %s: %w", name, err)
	}
	c.discovery = memory.NewMemCacheClient(&boundedDiscovery{lookup})
	c.mapper = newMapper(c.discovery)
	c.workloads = newWorkloads(name, c.metadata)
	return c, nil
}

// makeClients makes the clients that act as whom the transport of the
// configuration says.
func (c *Connection) makeClients() error {
	client := &http.Client{Transport: c.config.Transport}
	typed := rest.CopyConfig(c.config)
	typed.ContentType = runtime.ContentTypeProtobuf
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	var err error
	if c.kubernetes, err = kubernetes.NewForConfigAndClient(typed, client); err != nil {
		return fmt.Errorf("making the client for %s: %w", c.name, err)
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(c.config, client); err != nil {
		return fmt.Errorf("making the dynamic client for %s: %w", c.name, err)
	}
	if c.metadata, err = metadata.NewForConfigAndClient(metadata.ConfigFor(c.config), client); err != nil {
		return fmt.Errorf("making the metadata client for %s: %w", c.name, err)
	}
	return nil
}

// Name returns the name of the IntegrationTarget.
func (c *Connection) Name() types.NamespacedName { return c.name }

// Info returns what the kubeconfig says of itself.
func (c *Connection) Info() Info { return c.info }

// RESTConfig returns a copy of the configuration. What is made from it shares
// the rate limiter, the connections and the credentials, which are inside its
// transport and cannot be read out of it.
func (c *Connection) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Kubernetes returns the typed client, which speaks protobuf.
func (c *Connection) Kubernetes() kubernetes.Interface { return c.kubernetes }

// Dynamic returns the client for objects of any kind.
func (c *Connection) Dynamic() dynamic.Interface { return c.dynamic }

// Metadata returns the client that reads the metadata of objects only.
func (c *Connection) Metadata() metadata.Interface { return c.metadata }

// Discovery returns discovery, kept in memory until the mapper is reset.
func (c *Connection) Discovery() discovery.CachedDiscoveryInterface { return c.discovery }

// RESTMapper maps kinds to resources from the discovery in memory. After Reset
// the next lookup sees what the target serves by then; it may wait up to half
// a second when there were many resets just before.
func (c *Connection) RESTMapper() meta.ResettableRESTMapper { return c.mapper }

// RESTClientGetter returns what the libraries of kubectl and Helm ask for,
// over the clients of this connection. The namespace is the default of objects
// that name none.
func (c *Connection) RESTClientGetter(namespace string) genericclioptions.RESTClientGetter {
	return &getter{connection: c, namespace: namespace}
}

// Closed is closed when the connection was replaced or dropped.
func (c *Connection) Closed() <-chan struct{} { return c.closed }

func (c *Connection) close() {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.workloads.close()
		c.transport.CloseIdleConnections()
		c.relay.upgradeBase.CloseIdleConnections()
	})
}
