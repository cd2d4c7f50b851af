// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	kubescheme "k8s.io/client-go/kubernetes/scheme"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
)

// The formats of -o.
const (
	outputJSON = "json"
	outputYAML = "yaml"
	outputWide = "wide"
	outputName = "name"
)

func checkOutput(output string, known ...string) error {
	if output == "" || slices.Contains(known, output) {
		return nil
	}
	return fmt.Errorf("--output is %q, it must be one of %s, or left out", output, strings.Join(known, ", "))
}

// printObjects writes objects as JSON or YAML: a single one as it is, several as
// a List, as kubectl does.
func printObjects(out io.Writer, output string, single bool, objects ...runtime.Object) error {
	var all []runtime.Object
	for _, object := range objects {
		typed, err := plain(object)
		if err != nil {
			return err
		}
		all = append(all, typed)
	}
	var printer printers.ResourcePrinter = &printers.JSONPrinter{}
	if output == outputYAML {
		printer = &printers.YAMLPrinter{}
	}
	if single && len(all) == 1 {
		return printer.PrintObj(all[0], out)
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}}}
	for _, object := range all {
		list.Items = append(list.Items, *object.(*unstructured.Unstructured))
	}
	return printer.PrintObj(list, out)
}

// plain returns an object as it is on the wire: with its kind, which clients
// leave out, and without what only API servers look at.
func plain(object runtime.Object) (*unstructured.Unstructured, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if runtime.IsNotRegisteredError(err) {
		kinds, _, err = kubescheme.Scheme.ObjectKinds(object)
	}
	if err != nil {
		return nil, err
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(kinds[0])
	u.SetManagedFields(nil)
	return u, nil
}

// resourceName names an object as kubectl -o name does.
func resourceName(kind, name string) string {
	return strings.ToLower(kind) + "." + v1alpha1.GroupName + "/" + name
}
