// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// wholeInterval is how often all objects are compared, changed or not, give or
// take a fifth: autoscalers and webhooks come and go without a trace on them.
const wholeInterval = 30 * time.Minute

// Release is a release as a check sees it.
type Release struct {
	types.NamespacedName
	// Revision is another one whenever other objects were applied.
	Revision string
	// Load returns the objects as they were applied, in the order in which they
	// can be made, each in its namespace. It is called only when objects are to
	// be compared, and what it returns is changed.
	Load func(context.Context) ([]*unstructured.Unstructured, error)
	// Ignore says what may change.
	Ignore []v1alpha1.DriftIgnore
}

// Finding is an object that is not as it was applied.
type Finding struct {
	ID      object.ObjMetadata
	Missing bool
	// Fields are JSON pointers to what differs: the first
	// v1alpha1.MaxDriftedFields.
	Fields []string
}

// Checker compares releases with what was applied. It is safe for concurrent
// use.
type Checker struct {
	memory *memory
	now    func() time.Time
}

// NewChecker returns a Checker that remembers nothing yet.
func NewChecker() *Checker {
	return &Checker{memory: newMemory(maxRemembered), now: time.Now}
}

// Check returns what is not as it was applied, in a fixed order. Next to an
// error there may be findings: those of the objects that could be compared. It
// writes nothing.
func (c *Checker) Check(ctx context.Context, conn *cluster.Connection, release Release) ([]Finding, error) {
	return c.check(ctx, newCheck(conn, release))
}

func (c *Checker) check(ctx context.Context, k *check) ([]Finding, error) {
	key := memoryKey{target: k.conn.Name(), release: k.release.NamespacedName}
	content := k.content()
	former, known := c.memory.get(key, content)
	next := &state{content: content, whole: former.whole, records: maps.Clone(former.records)}
	var due []object.ObjMetadata
	switch {
	case !known:
		if err := k.load(ctx); err != nil {
			return nil, err
		}
		next.records = make(map[object.ObjMetadata]record, len(k.order))
		for _, id := range k.order {
			next.records[id] = record{}
		}
		fallthrough
	case c.now().After(next.whole):
		due = slices.Collect(maps.Keys(next.records))
		next.whole = c.now().Add(wholeInterval*4/5 + rand.N(wholeInterval*2/5))
	default:
		var err error
		if due, err = k.changed(ctx, next.records); err != nil {
			return nil, err
		}
	}
	err := k.compareAll(ctx, due, next.records)
	c.memory.put(key, next)
	return next.findings(), err
}

// Summary puts the findings of releases into the form of an installer's answer.
func Summary(findings []Finding) installer.Drift {
	findings = sorted(slices.Clone(findings))
	drift := installer.Drift{Total: len(findings)}
	for _, f := range findings[:min(len(findings), v1alpha1.MaxDrifted)] {
		drift.Resources = append(drift.Resources, v1alpha1.DriftedResource{
			Kind: f.ID.GroupKind.Kind, Namespace: f.ID.Namespace, Name: f.ID.Name, Missing: f.Missing, Fields: f.Fields,
		})
	}
	return drift
}

func compareIDs(a, b object.ObjMetadata) int {
	return cmp.Or(
		cmp.Compare(a.GroupKind.Kind, b.GroupKind.Kind),
		cmp.Compare(a.GroupKind.Group, b.GroupKind.Group),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}
