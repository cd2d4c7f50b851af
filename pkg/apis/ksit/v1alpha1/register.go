// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every KSIT kind.
const GroupName = "ksit.io"

// SchemeGroupVersion is the group and version of the types in this package.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

var (
	// SchemeBuilder collects what registers this version. Generated defaults
	// and conversions join it, which is why it is a package variable.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes, addDefaultingFuncs, addFieldLabelConversions)
	// localSchemeBuilder is the name that conversion-gen expects.
	localSchemeBuilder = &SchemeBuilder
	// AddToScheme adds this version to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

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
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
