// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"fmt"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/object"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/cluster"
)

// autoscalers knows which objects have their replicas set by an autoscaler. It
// reads those of a namespace when it is first asked about one in it.
type autoscalers struct {
	conn *cluster.Connection

	mu     sync.Mutex
	byName map[string]scaled
}

// scaled is what the autoscalers of a namespace scale.
type scaled struct {
	objects map[object.ObjMetadata]bool
	// unknown is true where they may not be read.
	unknown bool
}

func newAutoscalers(conn *cluster.Connection) *autoscalers {
	return &autoscalers{conn: conn, byName: map[string]scaled{}}
}

// scales tells whether the replicas of an object are not for us to judge.
func (a *autoscalers) scales(ctx context.Context, id object.ObjMetadata) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.byName[id.Namespace]
	if !ok {
		var err error
		if s, err = a.read(ctx, id.Namespace); err != nil {
			return false, err
		}
		a.byName[id.Namespace] = s
	}
	return s.unknown || s.objects[id], nil
}

func (a *autoscalers) read(ctx context.Context, namespace string) (scaled, error) {
	s := scaled{objects: map[object.ObjMetadata]bool{}}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := a.conn.Kubernetes().AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, options)
		switch {
		case apierrors.IsForbidden(err):
			return scaled{unknown: true}, nil
		case apierrors.IsNotFound(err):
			return s, nil
		case err != nil:
			return s, fmt.Errorf("listing the autoscalers in namespace %s: %w", namespace, err)
		}
		for i := range page.Items {
			s.objects[targetOf(&page.Items[i])] = true
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return s, nil
		}
	}
}

func targetOf(a *autoscalingv2.HorizontalPodAutoscaler) object.ObjMetadata {
	ref := a.Spec.ScaleTargetRef
	return object.ObjMetadata{
		GroupKind: schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind(),
		Namespace: a.Namespace,
		Name:      ref.Name,
	}
}
