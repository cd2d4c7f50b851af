// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// maxCandidate bounds what is read of a file. The API takes no more.
const maxCandidate = 3 << 20

// readCandidate reads the Integration of a name from a file, or the only one
// where the name is empty. Other objects of the file are left out.
func readCandidate(path, name string, in io.Reader) (*v1alpha1.Integration, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxCandidate+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(data) > maxCandidate {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxCandidate)
	}
	var found []*v1alpha1.Integration
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		candidate, err := integrationIn(document)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		if candidate != nil && (name == "" || candidate.Name == name) {
			found = append(found, candidate)
		}
	}
	switch {
	case len(found) == 0 && name != "":
		return nil, fmt.Errorf("%s holds no Integration %q", path, name)
	case len(found) == 0:
		return nil, fmt.Errorf("%s holds no Integration of %s", path, v1alpha1.SchemeGroupVersion)
	case len(found) > 1:
		return nil, fmt.Errorf("%s holds %d Integrations: name the one that is meant", path, len(found))
	}
	return found[0], checkName(found[0].Name)
}

// integrationIn returns the Integration of a document, or nil where it is
// something else. What the type does not know is refused, as the server would.
func integrationIn(document []byte) (*v1alpha1.Integration, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return nil, err
	}
	if kind.GroupVersionKind() != v1alpha1.SchemeGroupVersion.WithKind("Integration") {
		return nil, nil
	}
	candidate := &v1alpha1.Integration{}
	return candidate, yaml.UnmarshalStrict(document, candidate)
}
