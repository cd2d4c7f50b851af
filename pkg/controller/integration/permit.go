// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Access tells what users may do on the host cluster.
type Access interface {
	// MayUse tells whether somebody may use a target, or, without a name, all of
	// a namespace. An error is no answer.
	MayUse(ctx context.Context, who *v1alpha1.Requester, target types.NamespacedName) (bool, error)
}

const (
	// verdictsHold is how long an answer is good for: an Integration is looked
	// at with every change of its Installations.
	verdictsHold = 20 * time.Second
	// questionsAtOnce and answersWithin bound what is asked of the host cluster.
	questionsAtOnce = 8
	answersWithin   = 15 * time.Second
)

// permit takes from a selection what may not be used. Who names a target was
// asked for the right when he did. Here it is about what has come to be since:
// targets that the selector matches and that nothing is on yet, which whoever
// wrote the selector must have the right to use; and those of other namespaces,
// which must admit this one. What is on a target stays there.
func (c *Controller) permit(ctx context.Context, integration *v1alpha1.Integration, wanted selection, on map[string]*v1alpha1.Installation) (selection, error) {
	var found rights
	var ask []string
	for _, name := range wanted.targets {
		if wanted.selected[name] {
			if on[name] == nil {
				ask = append(ask, name)
			}
			continue
		}
		key := v1alpha1.ParseTarget(integration.Namespace, name)
		if key.Namespace == integration.Namespace {
			continue
		}
		target, err := c.target(integration, name)
		switch {
		case err != nil:
			return selection{}, err
		case target != nil && target.Admits(integration.Namespace):
		case on[name] == nil:
			found.refused = append(found.refused, refusal{name,
				fmt.Sprintf("there is no IntegrationTarget %s whose spec.tenancy.allowedNamespaces admits namespace %s", key, integration.Namespace)})
		case target != nil:
			found.withdrawn = append(found.withdrawn, name)
		}
	}
	c.askFor(ctx, integration, ask, &found)
	return wanted.without(found), nil
}

// askFor asks for the right to use targets that the selector matches.
func (c *Controller) askFor(ctx context.Context, integration *v1alpha1.Integration, targets []string, found *rights) {
	key := types.NamespacedName{Namespace: integration.Namespace, Name: integration.Name}
	who := integration.Status.TargetsRequestedBy
	if len(targets) == 0 {
		c.verdicts.forget(key)
		return
	}
	if who == nil {
		for _, target := range targets {
			found.refused = append(found.refused, refusal{target, "it is not known who asks for it: write spec.targetSelector anew"})
		}
		return
	}
	known := c.verdicts.of(key, fingerprint(integration))
	answers, err := c.answers(ctx, integration.Namespace, who, targets, known)
	if err != nil {
		klog.FromContext(ctx).V(1).Info("The host cluster did not say who may use which target", "err", err)
	}
	c.verdicts.keep(key, fingerprint(integration), answers)
	for _, target := range targets {
		switch answer, given := answers[target]; {
		case !given:
			found.unanswered = append(found.unanswered, target)
		case !answer.allowed:
			found.refused = append(found.refused, refusal{target,
				fmt.Sprintf("user %q needs the verb %s on integrationtargets %q in namespace %q", who.Username, v1alpha1.VerbUse, target, integration.Namespace)})
		}
	}
}

// answers asks what is not known. What nobody could say is not among them.
func (c *Controller) answers(ctx context.Context, namespace string, who *v1alpha1.Requester, targets []string, known map[string]verdict) (map[string]verdict, error) {
	answers := make(map[string]verdict, len(targets))
	var open []string
	now := time.Now()
	for _, target := range targets {
		if v, given := known[target]; given && now.Sub(v.at) < verdictsHold {
			answers[target] = v
		} else {
			open = append(open, target)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	if len(open) > 1 {
		// Most who may use many may use all.
		all, err := c.Access.MayUse(ctx, who, types.NamespacedName{Namespace: namespace})
		if err != nil {
			return answers, err
		}
		if all {
			for _, target := range open {
				answers[target] = verdict{true, now}
			}
			return answers, nil
		}
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(questionsAtOnce)
	for _, target := range open {
		group.Go(func() error {
			allowed, err := c.Access.MayUse(ctx, who, types.NamespacedName{Namespace: namespace, Name: target})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			answers[target] = verdict{allowed, now}
			return nil
		})
	}
	return answers, group.Wait()
}

// fingerprint is what makes an answer be asked for anew.
func fingerprint(integration *v1alpha1.Integration) string {
	who := integration.Status.TargetsRequestedBy
	return fmt.Sprintf("%d\n%s\n%s\n%s\n%s", integration.Generation, integration.Annotations[v1alpha1.AnnotationReconcile],
		who.Username, who.UID, strings.Join(who.Groups, "\n"))
}

// verdict is an answer of the host cluster.
type verdict struct {
	allowed bool
	at      time.Time
}

// verdicts are the answers by Integration and target.
type verdicts struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]answered
}

type answered struct {
	fingerprint string
	verdicts    map[string]verdict
}

func (v *verdicts) of(key types.NamespacedName, fingerprint string) map[string]verdict {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.byKey[key]; known.fingerprint == fingerprint {
		return known.verdicts
	}
	return nil
}

func (v *verdicts) keep(key types.NamespacedName, fingerprint string, all map[string]verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byKey == nil {
		v.byKey = map[types.NamespacedName]answered{}
	}
	v.byKey[key] = answered{fingerprint, all}
}

func (v *verdicts) forget(key types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.byKey, key)
}
