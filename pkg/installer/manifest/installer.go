// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"go.opentelemetry.io/otel/attribute"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/drift"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/pkg/tracing"
)

// Options are what an Installer works with.
type Options struct {
	// Fetch downloads manifests.
	Fetch *fetch.Client
	// Rewrites are applied to the container images of the manifests. Those of
	// URLs are the client's affair.
	Rewrites *rewrite.Table
}

// Installer is the method manifest. Each Integration has one release, named as
// the Integration is.
type Installer struct {
	options Options
	drift   *drift.Checker
}

var _ installer.Installer = (*Installer)(nil)

// New makes an Installer.
func New(options Options) *Installer {
	return &Installer{options: options, drift: drift.NewChecker()}
}

// Apply implements installer.Installer.
func (i *Installer) Apply(ctx context.Context, conn *cluster.Connection, req installer.Request) (installer.Result, error) {
	ctx, cancel := withTimeout(ctx, req.Timeout)
	defer cancel()
	r := requested(conn, req)
	changed, err := i.apply(ctx, r, req)
	result := installer.Result{Releases: r.status(), Changed: changed}
	for _, recorded := range req.Recorded {
		if recorded.Name == r.name && recorded.Namespace == r.namespace {
			if !r.known {
				// The apply failed before it could look.
				result.Releases = append(result.Releases, recorded)
			}
			continue
		}
		// An earlier spec put a release elsewhere. It goes once the new one
		// stands, except for what the two have in common. One without an
		// inventory was another method's, which the caller had remove it.
		if err == nil {
			var gone bool
			if gone, err = r.removeFormer(ctx, recorded); err == nil {
				result.Changed = result.Changed || gone
				continue
			}
		}
		result.Releases = append(result.Releases, recorded)
	}
	return result, r.explain(ctx, err)
}

func (i *Installer) apply(ctx context.Context, r *release, req installer.Request) (changed bool, err error) {
	if err := i.get(ctx, r, req); err != nil {
		return false, err
	}
	changed, err = r.apply(ctx)
	if err != nil {
		return changed, err
	}
	if err := waitReady(ctx, r, req.Waiting); err != nil {
		return changed, err
	}
	promoted, err := r.promote(ctx)
	return changed || promoted, err
}

// get gets the manifests, and has the release take them up.
func (i *Installer) get(ctx context.Context, r *release, req installer.Request) (err error) {
	ctx, done := installer.Step(ctx, "manifest load")
	defer func() { done(err) }()
	r.say("getting the manifests")
	content, err := i.load(ctx, req)
	if err != nil {
		return err
	}
	objects, err := parse(content.data)
	if err != nil {
		return fmt.Errorf("the manifests of %s: %w", content.source, err)
	}
	for _, obj := range objects {
		i.options.Rewrites.Images(obj)
	}
	// What was read stands no longer once it is parsed: it can be 10 MiB.
	content.data = nil
	if err := r.prepare(objects); err != nil {
		return err
	}
	r.record.Source, r.record.Version = content.source, content.version
	return nil
}

// waitReady says that it waits, and returns when everything is ready.
func waitReady(ctx context.Context, r *release, waiting func()) error {
	if waiting != nil {
		waiting()
	}
	ctx, done := installer.Step(ctx, "manifest wait", attribute.Int("ksit.objects", len(r.items)))
	err := health.Wait(tracing.Quiet(ctx), r.conn, r.refs(), health.WaitOptions{OnProgress: r.progress})
	done(err)
	if err != nil {
		return &installer.Error{Reason: installer.ReasonNotReady, Err: err}
	}
	r.say("objects ready: %d", len(r.items))
	return nil
}

// Uninstall implements installer.Installer.
func (i *Installer) Uninstall(ctx context.Context, conn *cluster.Connection, removal installer.Removal) error {
	ctx, cancel := withTimeout(ctx, removal.Timeout)
	defer cancel()
	for n := len(removal.Releases) - 1; n >= 0; n-- {
		recorded := removal.Releases[n]
		r := newRelease(conn, removal.Owner, recorded.Namespace, recorded.Name)
		if err := r.explain(ctx, r.uninstall(ctx, nil, removal.Adopted)); err != nil {
			return fmt.Errorf("uninstalling %s/%s: %w", r.namespace, r.name, err)
		}
		klog.FromContext(ctx).V(2).Info("Uninstalled manifests", "target", conn.Name(), "namespace", r.namespace, "release", r.name)
	}
	return nil
}

// Objects implements installer.Installer.
func (i *Installer) Objects(ctx context.Context, conn *cluster.Connection, releases []v1alpha1.ReleaseStatus) (object.ObjMetadataSet, error) {
	var all object.ObjMetadataSet
	for _, status := range releases {
		r := newRelease(conn, installer.Owner{}, status.Namespace, status.Name)
		if err := r.read(ctx); err != nil {
			return nil, r.explain(ctx, err)
		}
		if r.stored == nil {
			return nil, installer.Errorf(installer.ReasonReleaseMissing,
				"the inventory %s/%s is not on the target: somebody deleted it or its namespace", r.namespace, r.inventoryName())
		}
		all = append(all, r.stored.refs()...)
	}
	return all, nil
}

func withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}
