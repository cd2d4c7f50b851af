// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetuse

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// parallel bounds the questions that are asked of the host cluster at once.
const parallel = 16

// mayUse finds out which targets a user may use. Where it is about several of
// one namespace, it asks first whether the user may use all that are there:
// most who may use many may use all.
func (p *Plugin) mayUse(ctx context.Context, who user.Info, all []asked) (map[types.NamespacedName]bool, error) {
	byNamespace := map[string]map[string]bool{}
	for _, one := range all {
		if byNamespace[one.target.Namespace] == nil {
			byNamespace[one.target.Namespace] = map[string]bool{}
		}
		byNamespace[one.target.Namespace][one.target.Name] = true
	}
	may := map[types.NamespacedName]bool{}
	for namespace, names := range byNamespace {
		if len(names) > 1 {
			everything, err := p.allowed(ctx, who, types.NamespacedName{Namespace: namespace})
			if err != nil {
				return nil, err
			}
			if everything {
				for name := range names {
					may[types.NamespacedName{Namespace: namespace, Name: name}] = true
				}
				continue
			}
		}
		if err := p.oneByOne(ctx, who, namespace, names, may); err != nil {
			return nil, err
		}
	}
	return may, nil
}

func (p *Plugin) oneByOne(ctx context.Context, who user.Info, namespace string, names map[string]bool, may map[types.NamespacedName]bool) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for name := range names {
		group.Go(func() error {
			key := types.NamespacedName{Namespace: namespace, Name: name}
			allowed, err := p.allowed(ctx, who, key)
			mu.Lock()
			defer mu.Unlock()
			may[key] = allowed
			return err
		})
	}
	return group.Wait()
}

// allowed asks about one target; without a name, about all of a namespace.
func (p *Plugin) allowed(ctx context.Context, who user.Info, target types.NamespacedName) (bool, error) {
	decision, _, err := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User:            who,
		Verb:            v1alpha1.VerbUse,
		Namespace:       target.Namespace,
		APIGroup:        ksit.GroupName,
		APIVersion:      v1alpha1.SchemeGroupVersion.Version,
		Resource:        "integrationtargets",
		Name:            target.Name,
		ResourceRequest: true,
	})
	if decision == authorizer.DecisionAllow {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking whether user %q may use IntegrationTarget %s: %w", who.GetName(), target, err)
	}
	return false, nil
}
