// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"ksit.io/ksit/pkg/cluster"
)

const (
	// parallelism bounds the requests that one probe or wait has under way.
	parallelism = 8
	// pageSize and maxPages bound a list. What is not in it is asked for by
	// name.
	pageSize = 250
	maxPages = 8
)

// reader reads the objects of one target for one probe or one wait.
type reader struct {
	conn *cluster.Connection
	// slots holds a token for each request under way.
	slots chan struct{}

	mu        sync.Mutex
	lists     map[listKey]*listing
	lastReset time.Time
}

type listKey struct {
	kind      schema.GroupKind
	namespace string
	inert     bool
}

// listing is a list that is read once and used by several checks.
type listing struct {
	once    sync.Once
	objects []*unstructured.Unstructured
	byName  map[string]*unstructured.Unstructured
	whole   bool
	err     error
}

func newReader(conn *cluster.Connection) *reader {
	return &reader{conn: conn, slots: make(chan struct{}, parallelism), lists: map[listKey]*listing{}}
}

func (r *reader) acquire(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reader) release() { <-r.slots }

// minResetInterval bounds how often one reader looks anew for kinds that it
// does not find.
const minResetInterval = time.Second

// mapping returns the resource of a kind. For a kind that discovery does not
// have, it looks once more, as its definition may be new.
func (r *reader) mapping(kind schema.GroupKind) (*meta.RESTMapping, error) {
	mapping, err := r.conn.RESTMapper().RESTMapping(kind)
	if !meta.IsNoMatchError(err) {
		return mapping, err
	}
	if !r.reset() {
		return nil, err
	}
	return r.conn.RESTMapper().RESTMapping(kind)
}

// reset has discovery read anew, unless this reader did so just now.
func (r *reader) reset() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.lastReset) < minResetInterval {
		return false
	}
	r.lastReset = time.Now()
	r.conn.RESTMapper().Reset()
	return true
}

func (r *reader) resource(mapping *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return r.conn.Dynamic().Resource(mapping.Resource).Namespace(namespace)
	}
	return r.conn.Dynamic().Resource(mapping.Resource)
}

func (r *reader) metadata(mapping *meta.RESTMapping, namespace string) metadata.ResourceInterface {
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return r.conn.Metadata().Resource(mapping.Resource).Namespace(namespace)
	}
	return r.conn.Metadata().Resource(mapping.Resource)
}

// get reads one object.
func (r *reader) get(ctx context.Context, id object.ObjMetadata) (*unstructured.Unstructured, error) {
	mapping, err := r.mapping(id.GroupKind)
	if err != nil {
		return nil, err
	}
	if err := r.acquire(ctx); err != nil {
		return nil, err
	}
	defer r.release()
	if id.GroupKind == crdKind {
		return r.definition(ctx, mapping, id.Name)
	}
	return r.resource(mapping, id.Namespace).Get(ctx, id.Name, metav1.GetOptions{})
}

// definition reads the metadata and the conditions of a CRD. Its schema, which
// may be a megabyte, is passed over rather than built up in memory.
func (r *reader) definition(ctx context.Context, mapping *meta.RESTMapping, name string) (*unstructured.Unstructured, error) {
	data, err := r.conn.Kubernetes().Discovery().RESTClient().Get().
		AbsPath("/apis", mapping.Resource.Group, mapping.Resource.Version, mapping.Resource.Resource, name).
		SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var slim struct {
		Metadata struct {
			Name              string `json:"name"`
			CreationTimestamp string `json:"creationTimestamp"`
			DeletionTimestamp string `json:"deletionTimestamp"`
		} `json:"metadata"`
		Status struct {
			Conditions []map[string]any `json:"conditions"`
		} `json:"status"`
	}
	if err := decode(data, &slim); err != nil {
		return nil, err
	}
	conditions := make([]any, 0, len(slim.Status.Conditions))
	for _, c := range slim.Status.Conditions {
		delete(c, "observedGeneration") // a float64 here, and of no use
		conditions = append(conditions, c)
	}
	head := map[string]any{"name": slim.Metadata.Name, "creationTimestamp": slim.Metadata.CreationTimestamp}
	if slim.Metadata.DeletionTimestamp != "" {
		head["deletionTimestamp"] = slim.Metadata.DeletionTimestamp
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": mapping.GroupVersionKind.GroupVersion().String(),
		"kind":       mapping.GroupVersionKind.Kind,
		"metadata":   head,
		"status":     map[string]any{"conditions": conditions},
	}}, nil
}

// errMalformed stands for the errors of parsers, which quote what they read.
var errMalformed = errors.New("the API server's answer cannot be read")

func decode(data []byte, into any) error {
	if json.Unmarshal(data, into) != nil {
		return errMalformed
	}
	return nil
}

// served is true when discovery has the resource of a CRD, by its name. Unlike
// the CRD itself it is in memory.
func (r *reader) served(name string) bool {
	plural, group, _ := strings.Cut(name, ".")
	resource := schema.GroupVersionResource{Group: group, Resource: plural}
	if _, err := r.conn.RESTMapper().ResourceFor(resource); err == nil {
		return true
	}
	if !r.reset() {
		return false
	}
	_, err := r.conn.RESTMapper().ResourceFor(resource)
	return err == nil
}

// exists looks for an object without reading its content.
func (r *reader) exists(ctx context.Context, id object.ObjMetadata) (*metav1.PartialObjectMetadata, error) {
	mapping, err := r.mapping(id.GroupKind)
	if err != nil {
		return nil, err
	}
	if err := r.acquire(ctx); err != nil {
		return nil, err
	}
	defer r.release()
	return r.metadata(mapping, id.Namespace).Get(ctx, id.Name, metav1.GetOptions{})
}

// list reads the objects of a kind in a namespace, once for each reader; of
// inert kinds only the names.
func (r *reader) list(ctx context.Context, kind schema.GroupKind, namespace string, inert bool) *listing {
	key := listKey{kind, namespace, inert}
	r.mu.Lock()
	l := r.lists[key]
	if l == nil {
		l = &listing{byName: map[string]*unstructured.Unstructured{}}
		r.lists[key] = l
	}
	r.mu.Unlock()
	l.once.Do(func() { l.err = r.fill(ctx, l, key) })
	return l
}

func (r *reader) fill(ctx context.Context, l *listing, key listKey) error {
	mapping, err := r.mapping(key.kind)
	if err != nil {
		return err
	}
	if err := r.acquire(ctx); err != nil {
		return err
	}
	defer r.release()
	options := metav1.ListOptions{Limit: pageSize}
	for range maxPages {
		if key.inert {
			page, err := r.metadata(mapping, key.namespace).List(ctx, options)
			if err != nil {
				return err
			}
			for i := range page.Items {
				l.byName[page.Items[i].Name] = nil
			}
			options.Continue = page.Continue
		} else {
			page, err := r.resource(mapping, key.namespace).List(ctx, options)
			if err != nil {
				return err
			}
			for i := range page.Items {
				o := &page.Items[i]
				l.objects = append(l.objects, o)
				l.byName[o.GetName()] = o
			}
			options.Continue = page.GetContinue()
		}
		if options.Continue == "" {
			l.whole = true
			return nil
		}
	}
	return nil
}
