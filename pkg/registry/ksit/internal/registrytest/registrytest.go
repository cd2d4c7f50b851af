// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package registrytest gives tests of the registry an etcd to store in.
package registrytest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"text/tabwriter"
	"time"

	"go.etcd.io/etcd/client/v3/kubernetes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	etcd3testing "k8s.io/apiserver/pkg/storage/etcd3/testing"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Prefix is where the server keeps its keys in etcd.
const Prefix = "/registry"

// Backend is an etcd for the time of a test, with the options that the API
// server would use on it.
type Backend struct {
	Set    *scheme.Set
	Getter generic.RESTOptionsGetter
	Etcd   *kubernetes.Client
}

// New starts an etcd. It is stopped when the test ends.
func New(t testing.TB) *Backend {
	t.Helper()
	set, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	server, started := etcd3testing.NewUnsecuredEtcd3TestClientServer(t)
	config := storagebackend.NewDefaultConfig(Prefix, set.Codecs.LegacyCodec(v1alpha1.SchemeGroupVersion))
	config.Transport = started.Transport
	config.EncodeVersioner = runtime.NewMultiGroupVersioner(v1alpha1.SchemeGroupVersion, schema.GroupKind{Group: v1alpha1.GroupName})
	options := genericoptions.NewEtcdOptions(config)
	return &Backend{
		Set:    set,
		Getter: options.CreateRESTOptionsGetter(&genericoptions.SimpleStorageFactory{StorageConfig: *config}, nil),
		Etcd:   server.V3Client,
	}
}

// Context is that of a request in a namespace.
func Context(namespace string) context.Context {
	return genericapirequest.WithNamespace(genericapirequest.NewContext(), namespace)
}

// Uncached returns the store with its watch cache taken out: what the library's
// tests write behind its back must be seen at once.
func Uncached(getter generic.RESTOptionsGetter) generic.RESTOptionsGetter {
	return uncached{getter}
}

type uncached struct{ generic.RESTOptionsGetter }

func (u uncached) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	options, err := u.RESTOptionsGetter.GetRESTOptions(resource, example)
	options.Decorator = generic.UndecoratedStorage
	return options, err
}

// WaitReady waits until a store answers from its watch cache.
func WaitReady(t testing.TB, store *genericregistry.Store) {
	t.Helper()
	for store.ReadinessCheck() != nil {
		select {
		case <-t.Context().Done():
			t.Fatal("the watch cache does not become ready")
		case <-time.After(time.Millisecond):
		}
	}
}

// Table returns the table of an object as kubectl would print it, wide.
func Table(t testing.TB, convertor rest.TableConvertor, object runtime.Object) string {
	t.Helper()
	table, err := convertor.ConvertToTable(context.Background(), object, &metav1.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	writer := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	for i, column := range table.ColumnDefinitions {
		if column.Description == "" {
			t.Errorf("column %s has no description", column.Name)
		}
		name := column.Name
		if column.Priority > 0 {
			name += "*"
		}
		cell(writer, i, name)
	}
	for _, row := range table.Rows {
		fmt.Fprintln(writer)
		if len(row.Cells) != len(table.ColumnDefinitions) {
			t.Errorf("a row of %d cells under %d columns", len(row.Cells), len(table.ColumnDefinitions))
		}
		for i, value := range row.Cells {
			cell(writer, i, value)
		}
	}
	fmt.Fprintln(writer)
	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func cell(writer *tabwriter.Writer, i int, value any) {
	if i > 0 {
		fmt.Fprint(writer, "\t")
	}
	fmt.Fprint(writer, value)
}
