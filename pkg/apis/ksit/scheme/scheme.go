// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scheme builds the scheme and the codecs of the ksit.io API server.
package scheme

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"ksit.io/ksit/pkg/apis/ksit/install"
)

// Set is a scheme with the codecs made from it.
type Set struct {
	Scheme         *runtime.Scheme
	Codecs         serializer.CodecFactory
	ParameterCodec runtime.ParameterCodec
}

// New builds the scheme of the API server: every version of ksit.io, and the
// unversioned kinds that every API server answers with. It fails only when the
// types contradict each other.
func New() (*Set, error) {
	scheme := runtime.NewScheme()
	if err := install.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	unversioned := schema.GroupVersion{Version: "v1"}
	scheme.AddUnversionedTypes(unversioned,
		&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	return &Set{
		Scheme:         scheme,
		Codecs:         serializer.NewCodecFactory(scheme),
		ParameterCodec: runtime.NewParameterCodec(scheme),
	}, nil
}
