// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/object"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/pkg/cluster"
)

// parallel bounds the requests of one check that are under way at once. The
// connection bounds those of all.
const parallel = 8

// check is one run over one release.
type check struct {
	conn    *cluster.Connection
	release Release
	rules   rules
	scalers *autoscalers

	// applied and order are what was loaded; nil until then.
	applied map[object.ObjMetadata]*unstructured.Unstructured
	order   []object.ObjMetadata

	// fresh has discovery read anew once, for a kind that is not in it.
	fresh sync.Once
	// large has CRDs compared one at a time: each can take tens of megabytes.
	large sync.Mutex
}

func newCheck(conn *cluster.Connection, release Release) *check {
	return &check{conn: conn, release: release, rules: release.Ignore, scalers: newAutoscalers(conn)}
}

// content stands for what is compared: another revision or other rules make it
// another one.
func (k *check) content() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", k.release.Revision)
	// Rules are strings: they can always be written.
	_ = json.NewEncoder(h).Encode(k.release.Ignore)
	return hex.EncodeToString(h.Sum(nil))
}

// load reads what was applied, and leaves out what is never compared.
func (k *check) load(ctx context.Context) error {
	if k.applied != nil {
		return nil
	}
	objects, err := k.release.Load(ctx)
	if err != nil {
		return err
	}
	k.applied = make(map[object.ObjMetadata]*unstructured.Unstructured, len(objects))
	for _, obj := range objects {
		id := object.UnstructuredToObjMetadata(obj)
		if id.Name == "" || ignoredByAnnotation(obj) || k.rules.ignoreObject(id) {
			continue
		}
		if _, twice := k.applied[id]; !twice {
			k.order = append(k.order, id)
		}
		k.applied[id] = obj
	}
	return nil
}

// compareAll compares objects, and enters into records what it finds. Of those
// that it cannot compare the records stay, but for the next check to try again.
func (k *check) compareAll(ctx context.Context, due []object.ObjMetadata, records map[object.ObjMetadata]record) error {
	if len(due) == 0 {
		return nil
	}
	if err := k.load(ctx); err != nil {
		return err
	}
	var mu sync.Mutex
	var failed failures
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, id := range due {
		group.Go(func() error {
			if id.GroupKind == crdKind {
				k.large.Lock()
				defer k.large.Unlock()
			}
			d, seen, err := k.compare(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				r := records[id]
				r.known = false
				records[id] = r
				failed.add(id, err)
			case d == nil:
				records[id] = record{known: true, seen: seen}
			default:
				records[id] = record{known: true, seen: seen, finding: d.finding()}
			}
			return nil
		})
	}
	_ = group.Wait() // No function that it ran returns an error.
	return failed.err("compared")
}

// errMoving is that of an object that changes faster than it can be compared.
var errMoving = errors.New("it changes all the time")

// resource returns the client for objects of a kind. For a kind that is not
// served the error matches meta.IsNoMatchError.
func (k *check) resource(gvk schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := k.conn.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		k.fresh.Do(k.conn.RESTMapper().Reset)
		mapping, err = k.conn.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, err
	}
	client := k.conn.Dynamic().Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return client.Namespace(namespace), nil
	}
	return client, nil
}
