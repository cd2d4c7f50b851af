// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"context"
	"errors"
	"fmt"
	"io"

	"helm.sh/helm/v3/pkg/engine"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
)

// maxQueries bounds what one rendering asks of the target.
const maxQueries = 500

var (
	errUnanswered = errors.New("the target did not answer")
	errQueries    = fmt.Errorf("it looks at the target more than %d times", maxQueries)
)

// asking is the target as a template sees it: each lookup is a question to who
// started this process.
type asking struct {
	in  io.Reader
	out io.Writer
	// queries counts them; found is true where one gave something, which may be
	// of a Secret; failed is true where one was not answered.
	queries       int
	found, failed bool
}

var _ engine.ClientProvider = (*asking)(nil)

// GetClientFor implements engine.ClientProvider. Whether a kind is of a namespace
// is for who answers.
func (a *asking) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return &askingClient{asking: a, query: Query{APIVersion: apiVersion, Kind: kind}}, true, nil
}

func (a *asking) ask(query Query) (map[string]any, error) {
	if a.queries++; a.queries > maxQueries {
		return nil, errQueries
	}
	if err := writeMessage(a.out, report{Query: &query}); err != nil {
		return nil, err
	}
	var got answer
	if err := readMessage(a.in, &got); err != nil {
		return nil, err
	}
	if got.Failed {
		a.failed = true
		return nil, errUnanswered
	}
	if len(got.Found) == 0 {
		// For which lookup returns nothing at all.
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: query.Kind}, query.Name)
	}
	a.found = true
	var found map[string]any
	// With the types of numbers that a client has.
	err := utiljson.Unmarshal(got.Found, &found)
	return found, err
}

// explain takes out of an error what a template may have read from the target.
func (a *asking) explain(failure *Error) *Error {
	if failure.Fault != FaultTemplate {
		return failure
	}
	if a.failed {
		return &Error{FaultLookup, "error calling lookup: " + errUnanswered.Error()}
	}
	if a.found {
		return &Error{FaultTemplate, "a template failed: what it says is not shown, since it has read the target by lookup"}
	}
	return failure
}

// askingClient has what lookup uses of a client.
type askingClient struct {
	dynamic.NamespaceableResourceInterface
	asking *asking
	query  Query
}

func (c *askingClient) Namespace(namespace string) dynamic.ResourceInterface {
	below := *c
	below.query.Namespace = namespace
	return &below
}

func (c *askingClient) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	query := c.query
	query.Name = name
	found, err := c.asking.ask(query)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: found}, nil
}

func (c *askingClient) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	found, err := c.asking.ask(c.query)
	if err != nil {
		return nil, err
	}
	list := &unstructured.Unstructured{Object: found}
	return list.ToList()
}
