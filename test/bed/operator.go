// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"slices"
	"strconv"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

const monitoringGroup = "monitoring.coreos.com"

// operate does, until the bed is closed, what the named program would do on the
// target if its pods ran.
func (c *Cluster) operate(name string, run func(context.Context, *rest.Config) error) {
	c.bed.goBackground(func(ctx context.Context) {
		logger := klog.FromContext(ctx).WithValues("cluster", c.Name, "operator", name)
		for ctx.Err() == nil {
			if err := run(klog.NewContext(ctx, logger), c.RESTConfig()); err != nil && ctx.Err() == nil {
				logger.Error(err, "Playing an operator failed")
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
}

// prometheusOperatorArgs has no kubeconfig: the operator takes that from its
// environment.
func (c *Cluster) prometheusOperatorArgs(listen listenAddress) []string {
	return []string{
		"--web.listen-address=" + loopback + ":" + strconv.Itoa(listen.port),
		"--kubelet-service=kube-system/kubelet",
		"--log-level=info",
	}
}

// operatePrometheus runs the Prometheus operator, whose pod on the target is
// only played, as a process. The operator looks once, when it starts, which of
// its kinds are served, and leaves the others alone from then on. So it is
// started when they are there, and again whenever they have changed.
func (c *Cluster) operatePrometheus(ctx context.Context) {
	logger := klog.FromContext(ctx).WithValues("cluster", c.Name)
	client, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		logger.Error(err, "The Prometheus operator will not run")
		return
	}
	operator := c.components[PrometheusOperator]
	var running, previous []string
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		served, err := monitoringKinds(client)
		if err != nil {
			continue // The API server is down; the operator waits by itself.
		}
		// A chart's kinds come one after another: wait until two looks agree.
		settled := slices.Equal(served, previous)
		previous = served
		if !settled || slices.Equal(served, running) {
			continue
		}
		operator.Kill()
		running = nil
		if !slices.Contains(served, "prometheuses") || !slices.Contains(served, "alertmanagers") {
			continue
		}
		if err := operator.Start(); err != nil {
			logger.Error(err, "Starting the Prometheus operator failed")
			continue
		}
		running = served
	}
}

// monitoringKinds lists the operator's resources that are served, nil if none is.
func monitoringKinds(client discovery.DiscoveryInterface) ([]string, error) {
	groups, err := client.ServerGroups()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, group := range groups.Groups {
		if group.Name != monitoringGroup {
			continue
		}
		for _, version := range group.Versions {
			resources, err := client.ServerResourcesForGroupVersion(version.GroupVersion)
			if err != nil {
				return nil, err
			}
			for _, resource := range resources.APIResources {
				names = append(names, resource.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
