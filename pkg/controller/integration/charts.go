// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/index"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/status"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

const (
	// newerInterval is how often a repository is asked for newer versions, and
	// newerRetry when it did not answer.
	newerInterval = time.Hour
	newerRetry    = 10 * time.Minute
	// resolveTimeout bounds one question to a repository.
	resolveTimeout = time.Minute
)

// Charts finds out what the version of a chart stands for, once, and from time
// to time whether there is a newer one. What it finds stands in
// status.resolvedChart. Asking a repository may take long, so this is done by
// workers of its own.
type Charts struct {
	Client        client.KsitV1alpha1Interface
	Integrations  listers.IntegrationLister
	Installations *index.Installations
	Sources       Sources
	Resolver      installer.Resolver
	Events        events.EventRecorder
	// Changed has an Integration reconciled.
	Changed func(types.NamespacedName)

	mu sync.Mutex
	// unresolved are the charts whose repository was asked in vain.
	unresolved map[types.NamespacedName]chart
}

// chart is what decides what a version stands for.
type chart struct{ repository, name, version string }

func chartID(config *v1alpha1.HelmConfig) chart {
	return chart{config.Repository, config.Chart, config.Version}
}

// pinned is the version that is installed for an Integration; empty where there
// is nothing to put into the spec. It is not known until the repository was
// asked. Where that fails the range itself goes to the installers: they meet
// the same failure, and report it.
func (c *Charts) pinned(integration *v1alpha1.Integration) (version string, known bool) {
	config := chartOf(integration)
	switch {
	case c == nil || config == nil || isExact(config.Version):
		return "", true
	case resolves(integration.Status.ResolvedChart, config):
		return integration.Status.ResolvedChart.Version, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return "", c.unresolved[keyOf(integration)] == chartID(config)
}

// Reconcile resolves the version of a chart, or looks for newer ones.
func (c *Charts) Reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	integration, err := c.Integrations.Integrations(key.Namespace).Get(key.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("reading Integration %s: %w", key, err)
	}
	if err != nil || integration.DeletionTimestamp != nil || chartOf(integration) == nil {
		c.setUnresolved(key, chart{})
		return 0, nil
	}
	config, resolved := chartOf(integration), integration.Status.ResolvedChart
	if resolves(resolved, config) && resolved.CheckedAt != nil {
		if left := time.Until(resolved.CheckedAt.Add(newerInterval)); left > 0 {
			return max(pace.Jitter(left), time.Second), nil
		}
	}
	version, err := c.settled(integration, config)
	if err != nil {
		return 0, err
	}
	versions, err := c.versions(ctx, integration, config)
	if err != nil && version == "" {
		c.setUnresolved(key, chartID(config))
		c.Changed(key)
		return 0, fmt.Errorf("resolving version %q of chart %s: %w", config.Version, config.Chart, err)
	}
	found := v1alpha1.ResolvedChart{Repository: config.Repository, Chart: config.Chart, Range: config.Version, Version: version}
	again := newerRetry
	if err == nil {
		again = newerInterval
		if version == "" {
			found.Version = versions.Match
		}
		found.Newer, found.Newest = newer(versions.Match, found.Version), newer(versions.Newest, found.Version)
		found.CheckedAt = &metav1.Time{Time: time.Now().Truncate(time.Second)}
	} else if resolves(resolved, config) {
		return pace.Jitter(again), nil
	}
	c.setUnresolved(key, chart{})
	return pace.Jitter(again), c.record(ctx, integration, found)
}

// settled is the version that is installed and stays: the exact one, the one
// that was resolved before, or what runs already where nothing was ever
// resolved, because an earlier KSIT installed it or this one could not ask. It is
// empty where the repository has to say.
func (c *Charts) settled(integration *v1alpha1.Integration, config *v1alpha1.HelmConfig) (string, error) {
	resolved := integration.Status.ResolvedChart
	switch {
	case isExact(config.Version):
		return config.Version, nil
	case resolves(resolved, config):
		return resolved.Version, nil
	case resolved != nil:
		return "", nil
	}
	installations, err := c.Installations.OfIntegration(keyOf(integration))
	if err != nil {
		return "", err
	}
	var running []string
	for _, installation := range installations {
		for _, release := range installation.Status.Releases {
			if metav1.IsControlledBy(installation, integration) && release.Chart == config.Chart {
				running = append(running, release.Version)
			}
		}
	}
	return newestAdmitted(config.Version, running), nil
}

// versions asks the repository, with the credentials that the Integration names.
func (c *Charts) versions(ctx context.Context, integration *v1alpha1.Integration, config *v1alpha1.HelmConfig) (installer.Versions, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	access := &v1alpha1.AutoInstall{Enabled: true, Method: v1alpha1.InstallMethodHelm, HelmConfig: &v1alpha1.HelmConfig{
		Repository: config.Repository, SecretRef: config.SecretRef, CASecretRef: config.CASecretRef,
	}}
	sources, err := c.Sources.Read(ctx, integration.Namespace, access)
	if err != nil {
		return installer.Versions{}, err
	}
	return c.Resolver.Resolve(ctx, config, sources)
}

// record writes what was found, and tells once of each newer version.
func (c *Charts) record(ctx context.Context, integration *v1alpha1.Integration, found v1alpha1.ResolvedChart) error {
	before := integration.Status.ResolvedChart
	written, err := status.Write(ctx, c.Client.Integrations(integration.Namespace), integration, func(i *v1alpha1.Integration) {
		if config := chartOf(i); config != nil && chartID(config) == (chart{found.Repository, found.Chart, found.Range}) {
			i.Status.ResolvedChart = found.DeepCopy()
		}
	})
	if err != nil || written == nil {
		return err
	}
	if note := newerVersion(&found); note != "" && (before == nil || newerVersion(before) != note) {
		c.Events.Eventf(written, nil, "Normal", "NewerVersion", "Resolve", "%s", note)
	}
	return nil
}

// newerVersion says that there is a newer version than the one installed; empty
// where there is none.
func newerVersion(resolved *v1alpha1.ResolvedChart) string {
	switch {
	case resolved == nil:
		return ""
	case resolved.Newer != "":
		return fmt.Sprintf("version %s of chart %s is out, and within the range %s", resolved.Newer, resolved.Chart, resolved.Range)
	case resolved.Newest != "":
		return fmt.Sprintf("version %s of chart %s is out", resolved.Newest, resolved.Chart)
	default:
		return ""
	}
}

func (c *Charts) setUnresolved(key types.NamespacedName, what chart) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if what == (chart{}) {
		delete(c.unresolved, key)
		return
	}
	if c.unresolved == nil {
		c.unresolved = map[types.NamespacedName]chart{}
	}
	c.unresolved[key] = what
}

func keyOf(integration *v1alpha1.Integration) types.NamespacedName {
	return types.NamespacedName{Namespace: integration.Namespace, Name: integration.Name}
}
