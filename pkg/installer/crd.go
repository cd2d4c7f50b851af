// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/cluster"
)

// maxNamedVersions bounds the versions of a CRD that a message names.
const maxNamedVersions = 10

// KeepsStoredVersions fails when a CRD that is on a target would lose a version
// in which objects of it are stored: the target would refuse it, after other
// things were applied already. versions are those that it shall have.
func KeepsStoredVersions(ctx context.Context, conn *cluster.Connection, name string, versions []string) error {
	// Neither metadata nor a typed object: status is needed, and the schemas of
	// a CRD can take megabytes.
	raw, err := conn.Kubernetes().Discovery().RESTClient().Get().
		AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", name).
		SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx).Raw()
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the CRD %s: %w", name, err)
	}
	var live struct {
		Status struct {
			StoredVersions []string `json:"storedVersions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &live); err != nil {
		return fmt.Errorf("reading the CRD %s: %w", name, err)
	}
	lost := slices.DeleteFunc(live.Status.StoredVersions, func(v string) bool { return slices.Contains(versions, v) })
	if len(lost) == 0 {
		return nil
	}
	dropped := nameVersions(lost)
	return Terminalf(ReasonCRDVersionInUse,
		"the CRD %s would lose %s, in which objects may be stored, and would have %s only: write every object of it again so that it is stored in a version that stays, then take %s off status.storedVersions of the CRD",
		name, dropped, nameVersions(versions), dropped)
}

func nameVersions(versions []string) string {
	named := slices.Clone(versions[:min(len(versions), maxNamedVersions)])
	if more := len(versions) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("%d more", more))
	}
	return strings.Join(named, ", ")
}
