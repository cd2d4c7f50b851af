// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/cluster"
)

// storedRelease is the part of a stored release that is looked at without
// acting on it. The chart's files, most of its size, are left out.
type storedRelease struct {
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	Config    map[string]any `json:"config"`
	Manifest  string         `json:"manifest"`
	Chart     struct {
		Metadata struct {
			Name       string `json:"name"`
			Version    string `json:"version"`
			AppVersion string `json:"appVersion"`
		} `json:"metadata"`
	} `json:"chart"`
}

func (r *storedRelease) chartName() string    { return r.Chart.Metadata.Name }
func (r *storedRelease) chartVersion() string { return r.Chart.Metadata.Version }

// observe looks at a release on a target, with one request where there is none
// and two where there is one.
func observe(ctx context.Context, conn *cluster.Connection, namespace, name string) (observation, error) {
	revisions, err := listRevisions(ctx, conn, namespace, releaseQuery(name))
	if err != nil {
		return observation{}, err
	}
	o := observation{revisions: revisions}
	newest, found := o.newest()
	if !found {
		return o, nil
	}
	last, err := readRelease(ctx, conn, namespace, newest.secret)
	switch {
	case apierrors.IsNotFound(err):
		// Removed between the two requests: look again, once more at most.
		o.revisions, err = listRevisions(ctx, conn, namespace, releaseQuery(name))
		return o, err
	case err != nil && !isUnreadable(err):
		return observation{}, err
	}
	o.last = last
	return o, nil
}

// unreadableError is that of a Secret that does not hold a release.
type unreadableError struct{ error }

func isUnreadable(err error) bool {
	_, ok := err.(unreadableError)
	return ok
}

func readRelease(ctx context.Context, conn *cluster.Connection, namespace, secret string) (*storedRelease, error) {
	s, err := conn.Kubernetes().CoreV1().Secrets(namespace).Get(ctx, secret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("reading the release Secret %s/%s: %w", namespace, secret, err)
	}
	var r storedRelease
	if err := decodeRelease(s.Data[releaseKey], &r); err != nil {
		return nil, unreadableError{fmt.Errorf("reading the release Secret %s/%s: %w", namespace, secret, err)}
	}
	return &r, nil
}
