// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"cmp"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	kubescheme "k8s.io/client-go/kubernetes/scheme"

	ksitscheme "ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
)

// store holds objects, and what happened to them.
type store struct {
	lock    sync.Mutex
	changed *sync.Cond
	closed  bool
	objects map[resource]map[types.NamespacedName]*unstructured.Unstructured
	events  []event
}

// event is what happened at a revision: its place among the events.
type event struct {
	kind   watch.EventType
	in     resource
	object *unstructured.Unstructured
}

func newStore() *store {
	s := &store{objects: map[resource]map[types.NamespacedName]*unstructured.Unstructured{}}
	s.changed = sync.NewCond(&s.lock)
	return s
}

func (s *store) close() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

// Put stores an object as it is, status included.
func (s *store) Put(t testing.TB, objects ...runtime.Object) {
	t.Helper()
	for _, object := range objects {
		u, in, err := wire(object)
		if err != nil {
			t.Fatal(err)
		}
		s.lock.Lock()
		s.put(in, u)
		s.lock.Unlock()
	}
}

// Read returns a stored object, or fails the test.
func (s *store) Read(t testing.TB, group, version, resourceName, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	u := s.objects[resource{group, version, resourceName}][types.NamespacedName{Namespace: namespace, Name: name}]
	if u == nil {
		t.Fatalf("there is no %s %s/%s", resourceName, namespace, name)
	}
	return u.DeepCopy()
}

// Only returns the only object of a resource, or fails the test.
func (s *store) Only(t testing.TB, group, version, resourceName string) *unstructured.Unstructured {
	t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	all := s.list(resource{group, version, resourceName}, func(*unstructured.Unstructured) bool { return true })
	if len(all) != 1 {
		t.Fatalf("there are %d %s", len(all), resourceName)
	}
	return &all[0]
}

// Count counts the stored objects of a resource.
func (s *store) Count(group, version, resourceName string) int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return len(s.objects[resource{group, version, resourceName}])
}

func wire(object runtime.Object) (*unstructured.Unstructured, resource, error) {
	kinds, _, err := ksitscheme.Scheme.ObjectKinds(object)
	if err != nil {
		if kinds, _, err = kubescheme.Scheme.ObjectKinds(object); err != nil {
			return nil, resource{}, err
		}
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, resource{}, err
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(kinds[0])
	in, found := resourceOf(kinds[0].Group, kinds[0].Kind)
	if !found {
		return nil, resource{}, fmt.Errorf("kind %s is not served", kinds[0])
	}
	return u, in, nil
}

// put stores an object; the lock is held.
func (s *store) put(in resource, u *unstructured.Unstructured) *unstructured.Unstructured {
	key := types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}
	if s.objects[in] == nil {
		s.objects[in] = map[types.NamespacedName]*unstructured.Unstructured{}
	}
	kind := watch.Added
	if old := s.objects[in][key]; old != nil {
		kind = watch.Modified
		u.SetUID(old.GetUID())
		u.SetCreationTimestamp(old.GetCreationTimestamp())
	}
	if u.GetUID() == "" {
		u.SetUID(types.UID(fmt.Sprintf("uid-%d", len(s.events)+1)))
	}
	if u.GetCreationTimestamp().Time.IsZero() {
		u.SetCreationTimestamp(metav1.NewTime(time.Now()))
	}
	u.SetResourceVersion(strconv.Itoa(len(s.events) + 1))
	u = u.DeepCopy()
	s.objects[in][key] = u
	s.happened(kind, in, u)
	return u
}

func (s *store) happened(kind watch.EventType, in resource, u *unstructured.Unstructured) {
	s.events = append(s.events, event{kind, in, u.DeepCopy()})
	s.changed.Broadcast()
}

// remove takes an object away; the lock is held.
func (s *store) remove(in resource, key types.NamespacedName) {
	u := s.objects[in][key].DeepCopy()
	delete(s.objects[in], key)
	u.SetResourceVersion(strconv.Itoa(len(s.events) + 1))
	s.happened(watch.Deleted, in, u)
}

// list returns copies in the order of their names; the lock is held.
func (s *store) list(in resource, matches func(*unstructured.Unstructured) bool) []unstructured.Unstructured {
	var all []unstructured.Unstructured
	for _, u := range s.objects[in] {
		if matches(u) {
			all = append(all, *u.DeepCopy())
		}
	}
	slices.SortFunc(all, func(a, b unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return all
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
