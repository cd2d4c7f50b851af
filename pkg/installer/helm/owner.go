// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"ksit.io/ksit/pkg/installer"
)

// FieldManager is the name under which everything here writes to a target.
const FieldManager = "ksit"

// The labels of the Secrets of a release that KSIT looks after. Helm carries
// the labels of a revision over to the next one, whoever makes that.
const (
	// LabelIntegration and LabelNamespace name the Integration.
	LabelIntegration = "ksit.io/integration"
	LabelNamespace   = "ksit.io/namespace"
	// LabelAdopted is "true" on a release that was there before KSIT.
	LabelAdopted = "ksit.io/adopted"
)

// ownerLabels are what tells whose a release is.
func ownerLabels(owner installer.Owner, adopted bool) map[string]string {
	labels := map[string]string{LabelIntegration: owner.Integration, LabelNamespace: owner.Namespace}
	if adopted {
		labels[LabelAdopted] = "true"
	}
	return labels
}

// ownerOf reads the labels of a release; ok is false where it has no owner.
func ownerOf(labels map[string]string) (owner installer.Owner, ok bool) {
	owner = installer.Owner{Namespace: labels[LabelNamespace], Integration: labels[LabelIntegration]}
	return owner, owner.Integration != "" && owner.Namespace != ""
}
