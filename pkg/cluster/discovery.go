// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// maxGroupVersions bounds the group versions that a target serves. Of one that
// does not answer for all at once each is asked for, at the same time.
const maxGroupVersions = 5000

// boundedDiscovery refuses a target that says it serves more than that.
type boundedDiscovery struct {
	*discovery.DiscoveryClient
}

var _ discovery.AggregatedDiscoveryInterfaceWithContext = (*boundedDiscovery)(nil)

func (d *boundedDiscovery) ServerGroups() (*metav1.APIGroupList, error) {
	return d.ServerGroupsWithContext(context.Background())
}

func (d *boundedDiscovery) ServerGroupsWithContext(ctx context.Context) (*metav1.APIGroupList, error) {
	groups, err := d.DiscoveryClient.ServerGroupsWithContext(ctx)
	return groups, checkGroups(groups, err)
}

func (d *boundedDiscovery) GroupsAndMaybeResources() (*metav1.APIGroupList, map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error) {
	return d.GroupsAndMaybeResourcesWithContext(context.Background())
}

func (d *boundedDiscovery) GroupsAndMaybeResourcesWithContext(ctx context.Context) (*metav1.APIGroupList, map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error) {
	groups, resources, failed, err := d.DiscoveryClient.GroupsAndMaybeResourcesWithContext(ctx)
	return groups, resources, failed, checkGroups(groups, err)
}

func checkGroups(groups *metav1.APIGroupList, err error) error {
	if err != nil || groups == nil {
		return err
	}
	versions := 0
	for _, group := range groups.Groups {
		versions += len(group.Versions)
	}
	if versions > maxGroupVersions {
		return fmt.Errorf("%w: %d versions of API groups", errTooMuchSaid, versions)
	}
	return nil
}
