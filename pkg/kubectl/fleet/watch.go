// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/generated/informers/externalversions"
)

// settle is how long changes are gathered before they are shown: a rollout
// writes many statuses at a time.
const settle = 100 * time.Millisecond

// Watch calls show with what there is, and again whenever it changed, until ctx
// is done or show returns an error. A watch that is lost is begun anew.
func Watch(ctx context.Context, client versioned.Interface, namespace, name string, show func([]Entry) error) error {
	// What is refused is said at once; a watch would only try again.
	if _, err := Read(ctx, client, namespace, name); err != nil {
		return err
	}
	one := func(options *metav1.ListOptions) {
		if name != "" {
			options.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		}
	}
	theirs := func(options *metav1.ListOptions) { options.LabelSelector = selector(name) }
	integrations := externalversions.NewSharedInformerFactoryWithOptions(client, 0,
		externalversions.WithNamespace(namespace), externalversions.WithTweakListOptions(one)).Ksit().V1alpha1().Integrations()
	installations := externalversions.NewSharedInformerFactoryWithOptions(client, 0,
		externalversions.WithNamespace(namespace), externalversions.WithTweakListOptions(theirs)).Ksit().V1alpha1().Installations()

	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var synced []cache.InformerSynced
	for _, informer := range []cache.SharedIndexInformer{integrations.Informer(), installations.Informer()} {
		// A watch that breaks off is begun anew, and is nobody's news.
		if err := informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
			return fmt.Errorf("watching: %w", err)
		}
		registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { notify() },
			UpdateFunc: func(any, any) { notify() },
			DeleteFunc: func(any) { notify() },
		})
		if err != nil {
			return fmt.Errorf("watching: %w", err)
		}
		synced = append(synced, registration.HasSynced)
		go informer.RunWithContext(ctx)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	notify()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		ours, err := integrations.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		all, err := installations.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		if err := show(Join(values(ours), values(all))); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
	}
}

func values[T v1alpha1.Integration | v1alpha1.Installation](pointers []*T) []T {
	all := make([]T, 0, len(pointers))
	for _, p := range pointers {
		all = append(all, *p)
	}
	return all
}
