// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/sources"
)

// How often the ConfigMaps and Secrets that an Integration refers to are read:
// KSIT may not watch them. Nothing is read for an Integration without any.
const (
	sourcesInterval = 30 * time.Second
	// sourcesFresh is for how long what was read stands: an Integration is
	// reconciled with every change of an Installation of its.
	sourcesFresh = 20 * time.Second
)

// Sources reads what an AutoInstall refers to: a sources.Reader does.
type Sources interface {
	Read(ctx context.Context, namespace string, install *v1alpha1.AutoInstall) (installer.Sources, error)
}

// sourcesDigest is the digest of what the Integration refers to, and when to
// read it again. It is not known while it cannot be read, except where it could
// be before for the same spec.
func (c *Controller) sourcesDigest(ctx context.Context, integration *v1alpha1.Integration) (digest string, known bool, again time.Duration) {
	key := types.NamespacedName{Namespace: integration.Namespace, Name: integration.Name}
	install := contentOf(integration.Spec.AutoInstall)
	if install == nil || c.Sources == nil {
		c.digests.forget(key)
		return "", true, 0
	}
	request := integration.Annotations[v1alpha1.AnnotationReconcile]
	entry, read := c.digests.get(key)
	same := read && entry.generation == integration.Generation
	if left := time.Until(entry.readAt.Add(sourcesFresh)); same && entry.request == request && left > 0 {
		return entry.digest, entry.known, left + time.Second
	}
	if !same {
		entry = digestEntry{generation: integration.Generation}
	}
	entry.request, entry.readAt = request, time.Now()
	content, err := c.Sources.Read(ctx, integration.Namespace, install)
	if err != nil {
		// The Installations report it: they read it too.
		klog.FromContext(ctx).V(1).Info("What the Integration refers to cannot be read", "err", err)
	} else {
		entry.digest, entry.known = sources.Digest(content), true
	}
	c.digests.set(key, entry)
	return entry.digest, entry.known, pace.Jitter(sourcesInterval)
}

// contentOf returns an AutoInstall that refers to what decides what is
// installed, and to nothing else: credentials and keys are not read again and
// again. It is nil where there is no such reference.
func contentOf(install *v1alpha1.AutoInstall) *v1alpha1.AutoInstall {
	if install == nil || !install.Enabled {
		return nil
	}
	content := &v1alpha1.AutoInstall{Enabled: true, Method: install.Method}
	switch {
	case install.Method == v1alpha1.InstallMethodManifest:
		if install.ManifestConfig == nil || install.ManifestConfig.ConfigMapRef == nil {
			return nil
		}
		content.ManifestConfig = &v1alpha1.ManifestConfig{ConfigMapRef: install.ManifestConfig.ConfigMapRef}
	case install.HelmConfig == nil || len(install.HelmConfig.ValuesFrom) == 0:
		return nil
	default:
		content.HelmConfig = &v1alpha1.HelmConfig{ValuesFrom: install.HelmConfig.ValuesFrom}
	}
	return content
}

// digests remember what was read. They hold no content.
type digests struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]digestEntry
}

type digestEntry struct {
	generation int64
	request    string
	digest     string
	known      bool
	readAt     time.Time
}

func (d *digests) get(key types.NamespacedName) (digestEntry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, found := d.byKey[key]
	return entry, found
}

func (d *digests) set(key types.NamespacedName, entry digestEntry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byKey == nil {
		d.byKey = map[types.NamespacedName]digestEntry{}
	}
	d.byKey[key] = entry
}

func (d *digests) forget(key types.NamespacedName) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byKey, key)
}
