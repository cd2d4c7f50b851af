// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every KSIT kind.
const GroupName = "ksit.io"

// SchemeGroupVersion is the internal version of the group.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: runtime.APIVersionInternal}

var (
	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme adds the internal version to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

// Kind qualifies a kind with the group of this package.
func Kind(kind string) schema.GroupKind {
	return SchemeGroupVersion.WithKind(kind).GroupKind()
}

// Resource qualifies a resource name with the group of this package.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&IntegrationTarget{}, &IntegrationTargetList{},
		&Integration{}, &IntegrationList{},
		&Installation{}, &InstallationList{},
		&ReconcileRequest{}, &RollbackRequest{},
		&InstallationHealth{}, &InstallationHistory{},
		&InstallationManifest{}, &InstallationManifestOptions{},
		&InstallationDiff{},
		&InstallationLog{}, &InstallationLogOptions{},
		&IntegrationTargetHealth{}, &IntegrationTargetProxyOptions{},
	)
	return nil
}
