// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

var (
	_ installer.Historian = (*Installer)(nil)
	_ installer.Previewer = (*Installer)(nil)
)

// maxDescription bounds what is told of how a revision came about: Helm puts the
// errors of all objects into it.
const maxDescription = 512

// History implements installer.Historian. The revisions are those that Helm's own
// history shows, whoever made them.
func (i *Installer) History(ctx context.Context, conn *cluster.Connection, query installer.Query) ([]v1alpha1.ReleaseHistory, error) {
	asked := askedValues(query.Request, query.SourcesUnknown)
	var histories []v1alpha1.ReleaseHistory
	for _, recorded := range query.Request.Recorded {
		if query.Release != "" && query.Release != recorded.Name {
			continue
		}
		name := releaseName{Namespace: recorded.Namespace, Name: recorded.Name}
		history := v1alpha1.ReleaseHistory{Name: name.Name, Namespace: name.Namespace}
		var err error
		if history.Revisions, err = i.revisions(ctx, conn, name, crdPolicyOf(query.Request), asked); err != nil {
			return nil, classify(ctx, err, fmt.Sprintf("release %s in namespace %s", name.Name, name.Namespace), nil)
		}
		histories = append(histories, history)
	}
	return histories, nil
}

func (i *Installer) revisions(ctx context.Context, conn *cluster.Connection, name releaseName, policy v1alpha1.CRDPolicy, asked map[string]any) ([]v1alpha1.ReleaseRevision, error) {
	found, err := listRevisions(ctx, conn, name.Namespace, releaseQuery(name.Name))
	if err != nil {
		return nil, err
	}
	var out []v1alpha1.ReleaseRevision
	// One at a time: each can be megabytes, and unpacks to more.
	for n := len(found) - 1; n >= 0 && len(out) < v1alpha1.MaxRevisions; n-- {
		r := found[n]
		revision := v1alpha1.ReleaseRevision{Revision: int64(r.number), Status: r.status.String()}
		stored, err := readRevision(ctx, conn, name.Namespace, r.secret)
		switch {
		case apierrors.IsNotFound(err):
			continue // It fell out of the history meanwhile.
		case isUnreadable(err):
			revision.Description = "its Secret does not hold a release"
		case err != nil:
			return nil, err
		default:
			// Helm puts the errors of a target into a description, and those may
			// quote values.
			values := map[string]any{"asked": asked, "stored": suspect(stored.Config, asked)}
			stored.describe(&revision, policy, newRedactor(values, name.Name, name.Namespace, stored.chartName()))
		}
		out = append(out, revision)
	}
	return out, nil
}

func crdPolicyOf(req installer.Request) v1alpha1.CRDPolicy {
	if req.AutoInstall == nil {
		return v1alpha1.CRDPolicyCreateReplace
	}
	return cmp.Or(req.AutoInstall.CRDPolicy, v1alpha1.CRDPolicyCreateReplace)
}

// storedRevision is a stored release with what Helm noted down about it.
type storedRevision struct {
	storedRelease

	Info struct {
		LastDeployed time.Time `json:"last_deployed"`
		Description  string    `json:"description"`
	} `json:"info"`
	Hooks []struct {
		Manifest string `json:"manifest"`
	} `json:"hooks"`
}

func readRevision(ctx context.Context, conn *cluster.Connection, namespace, secret string) (*storedRevision, error) {
	s, err := conn.Kubernetes().CoreV1().Secrets(namespace).Get(ctx, secret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("reading the release Secret %s/%s: %w", namespace, secret, err)
	}
	var r storedRevision
	if err := decodeRelease(s.Data[releaseKey], &r); err != nil {
		return nil, unreadableError{fmt.Errorf("reading the release Secret %s/%s: %w", namespace, secret, err)}
	}
	return &r, nil
}

// describe tells of a revision what may be told: the values go into its digest
// only, which is the one that is on the status.
func (s *storedRevision) describe(r *v1alpha1.ReleaseRevision, policy v1alpha1.CRDPolicy, redact *redactor) {
	if !s.Info.LastDeployed.IsZero() {
		r.DeployedAt = &metav1.Time{Time: s.Info.LastDeployed.Truncate(time.Second)}
	}
	r.Chart, r.Version = shorten(s.chartName(), 253), shorten(s.chartVersion(), 128)
	r.AppVersion = shorten(s.Chart.Metadata.AppVersion, 128)
	r.Description = shorten(redact.text(s.Info.Description), maxDescription)
	// Values that cannot be written as JSON were never installed.
	r.Digest, _ = digest(s.chartName(), s.chartVersion(), s.Config, policy)
}
