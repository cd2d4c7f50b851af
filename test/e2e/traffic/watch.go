// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
)

// watch starts a watch by one route. One that ends is begun again where it ended, as
// informers do; that it ends is no failure, that it cannot go on is.
func (t *Traffic) watch(ctx context.Context, route Route) error {
	c, err := newClient(t, route, false)
	if err != nil {
		return err
	}
	list := &v1alpha1.IntegrationList{}
	if err := c.request(c.rest.Get()).Do(ctx).Into(list); err != nil {
		return err
	}
	t.ledger.watched(route.Name)
	for i := range list.Items {
		t.ledger.sees(route.Name, &list.Items[i], false)
	}
	t.watches.Go(func() { c.follow(ctx, list.ResourceVersion) })
	return nil
}

// follow sees all events from a version on. Where the server does not know that any
// more, it lists anew, as informers do.
func (c *client) follow(ctx context.Context, version string) {
	for ctx.Err() == nil {
		if version == "" {
			var err error
			if version, err = c.relist(ctx); err != nil {
				pauses(ctx)
				continue
			}
		}
		began := time.Now()
		events, err := c.begin(ctx, version)
		if ctx.Err() != nil {
			return
		}
		c.records.add(began, c.route.Name, "watch", err)
		if err != nil {
			if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
				version = ""
			}
			pauses(ctx)
			continue
		}
		version = c.take(ctx, events, version)
		events.Stop()
	}
}

func (c *client) relist(ctx context.Context) (string, error) {
	list := &v1alpha1.IntegrationList{}
	began := time.Now()
	err := c.request(c.rest.Get()).Do(ctx).Into(list)
	if ctx.Err() == nil {
		c.records.add(began, c.route.Name, "list for a watch", err)
	}
	if err == nil {
		c.ledger.relists(c.route.Name, list.Items)
	}
	return list.ResourceVersion, err
}

func (c *client) begin(ctx context.Context, version string) (watch.Interface, error) {
	return c.request(c.rest.Get()).VersionedParams(&metav1.ListOptions{Watch: true, ResourceVersion: version, AllowWatchBookmarks: true}, scheme.ParameterCodec).Watch(ctx)
}

// take notes events until there are no more, and returns the version of the last, or
// none where that is too old to go on from.
func (c *client) take(ctx context.Context, events watch.Interface, version string) string {
	for event := range events.ResultChan() {
		o, ok := event.Object.(*v1alpha1.Integration)
		switch {
		case event.Type == watch.Error:
			err := apierrors.FromObject(event.Object)
			if ctx.Err() == nil {
				c.records.add(time.Now(), c.route.Name, "watch", fmt.Errorf("an event says: %w", err))
			}
			if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
				return ""
			}
			return version
		case ok:
			version = o.ResourceVersion
			if event.Type != watch.Bookmark {
				c.ledger.sees(c.route.Name, o, event.Type == watch.Deleted)
			}
		}
	}
	return version
}
