// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
)

// client sends one request after the other by one route.
type client struct {
	*Traffic
	route Route
	// renews is whether it connects anew now and then.
	renews    bool
	transport *http.Transport
	rest      rest.Interface
	sent      int
}

func newClient(t *Traffic, route Route, renews bool) (*client, error) {
	c := &client{Traffic: t, route: route, renews: renews}
	return c, c.connect()
}

func (c *client) connect() error {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	var err error
	if c.transport, err = c.route.Transport(); err != nil {
		return err
	}
	c.rest, err = newRESTClient(c.transport, c.route.Host)
	return err
}

// request prepares a request that is sent once.
func (c *client) request(r *rest.Request) *rest.Request {
	return r.MaxRetries(0).Namespace(c.namespace).Resource(resource)
}

// do sends a request and notes what came of it.
func (c *client) do(ctx context.Context, verb string, send func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	began := time.Now()
	err := send(ctx)
	c.records.add(began, c.route.Name, verb, err)
	c.sent++
	if c.renews && c.sent%renewal == 0 {
		if err := c.connect(); err != nil {
			c.records.add(time.Now(), c.route.Name, "connect", err)
		}
	}
	return err == nil
}

// pauses waits before the next request, and tells whether there is one.
func pauses(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// read gets and lists in turns.
func (c *client) read(ctx context.Context) {
	for pauses(ctx) {
		c.do(ctx, "get", func(ctx context.Context) error {
			return c.request(c.rest.Get()).Name(anchor).Do(ctx).Error()
		})
		c.do(ctx, "list", func(ctx context.Context) error {
			return c.request(c.rest.Get()).VersionedParams(&metav1.ListOptions{Limit: 20}, scheme.ParameterCodec).Do(ctx).Error()
		})
	}
}

// write has some objects at a time: it creates, counts on, reads back and deletes.
func (c *client) write(ctx context.Context) {
	type own struct {
		name  string
		count int
	}
	var all []*own
	for step := 0; pauses(ctx); step++ {
		if len(all) < 3 {
			o := &own{name: fmt.Sprintf("%s-%d", strings.ToLower(c.route.Name), c.serial.Add(1)), count: 1}
			if c.do(ctx, "create", func(ctx context.Context) error { return c.create(ctx, o.name) }) {
				all = append(all, o)
			}
			continue
		}
		if step%9 == 0 {
			oldest := all[0]
			all = all[1:]
			c.do(ctx, "delete", func(ctx context.Context) error { return c.remove(ctx, oldest.name) })
			continue
		}
		o := all[step%len(all)]
		o.count++
		if c.do(ctx, "patch", func(ctx context.Context) error { return c.count(ctx, o.name, o.count) }) {
			c.do(ctx, "read back", func(ctx context.Context) error { return c.readBack(ctx, o.name, o.count) })
		}
	}
}

func (c *client) create(ctx context.Context, name string) error {
	c.ledger.asks(name, 1)
	if err := c.request(c.rest.Post()).Body(integration(c.namespace, name)).Do(ctx).Error(); err != nil {
		return err
	}
	c.ledger.acknowledged(name, 1)
	return nil
}

func (c *client) count(ctx context.Context, name string, count int) error {
	c.ledger.asks(name, count)
	body := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, countKey, count)
	if err := c.request(c.rest.Patch(types.MergePatchType)).Name(name).Body(body).Do(ctx).Error(); err != nil {
		return err
	}
	c.ledger.acknowledged(name, count)
	return nil
}

// readBack makes sure that what was acknowledged is what is read next, whoever
// answers.
func (c *client) readBack(ctx context.Context, name string, count int) error {
	o := &v1alpha1.Integration{}
	if err := c.request(c.rest.Get()).Name(name).Do(ctx).Into(o); err != nil {
		return err
	}
	if got := countOf(o); got != count {
		return fmt.Errorf("the count of %s is %d after %d was acknowledged", name, got, count)
	}
	return nil
}

func (c *client) remove(ctx context.Context, name string) error {
	c.ledger.asksDeletion(name)
	if err := c.request(c.rest.Delete()).Name(name).Do(ctx).Error(); err != nil {
		return err
	}
	c.ledger.acknowledgedDeletion(name)
	return nil
}
