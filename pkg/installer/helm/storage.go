// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/safeyaml"
)

const (
	releaseSecretType = "helm.sh/release.v1"
	releaseKey        = "release"
	// maxReleaseBytes bounds the record of a release: that of a Secret, less
	// room for its metadata.
	maxReleaseBytes = corev1.MaxSecretSize - 16<<10
	// maxDecodedRelease bounds what a record unpacks to: anybody who may write
	// Secrets on the target can make one.
	maxDecodedRelease = 128 << 20
	// maxHistory bounds the revisions that are kept of a release.
	maxHistory = 5
)

// secretsDriver keeps releases where Helm does, in Secrets of the namespace of
// the release, in Helm's form. It differs from Helm's own driver in that it
//
//   - ends with a context, and writes under a field manager;
//   - lists metadata, and reads the content of the newest match only: with five
//     revisions of a large chart, Helm's reads megabytes for each question. The
//     others are returned as outlines, which have a number and a status, and
//     which it refuses to write;
//   - bounds what it unpacks, and survives Secrets that hold something else.
type secretsDriver struct {
	ctx       context.Context
	conn      *cluster.Connection
	namespace string
	// prepare, if set, is called with every release before it is first written,
	// which is before anything of it is applied.
	prepare func(*release.Release) error
	// failed is the revision that a rollback leaves. Helm calls it superseded
	// where the rollback fails as well, and it would be taken for a good one.
	failed int
	// read has what was read already, by the Secret's name: an operation asks
	// for the same release several times, and nobody else writes it meanwhile.
	read map[string]*release.Release
	// versions are the resource versions of the Secrets as they were last read or
	// written here. A process that was stopped, and wakes up when another has
	// taken over, would otherwise call deployed what that has given up.
	versions map[string]string
}

var _ driver.Driver = (*secretsDriver)(nil)

func newSecretsDriver(ctx context.Context, conn *cluster.Connection, namespace string) *secretsDriver {
	return &secretsDriver{ctx: ctx, conn: conn, namespace: namespace, read: map[string]*release.Release{}, versions: map[string]string{}}
}

// Name is that of Helm's own driver for Secrets.
func (d *secretsDriver) Name() string { return driver.SecretsDriverName }

// Get returns the release in the Secret named key.
func (d *secretsDriver) Get(key string) (*release.Release, error) {
	if rel, ok := d.read[key]; ok {
		return rel, nil
	}
	secret, err := d.conn.Kubernetes().CoreV1().Secrets(d.namespace).Get(d.ctx, key, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, driver.ErrReleaseNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the release Secret %s/%s: %w", d.namespace, key, err)
	}
	var rel release.Release
	if err := decodeRelease(secret.Data[releaseKey], &rel); err != nil {
		return nil, fmt.Errorf("reading the release Secret %s/%s: %w", d.namespace, key, err)
	}
	if rel.Info == nil || rel.Chart == nil || rel.Chart.Metadata == nil {
		return nil, fmt.Errorf("the release Secret %s/%s is incomplete", d.namespace, key)
	}
	if err := boundRelease(&rel); err != nil {
		return nil, fmt.Errorf("reading the release Secret %s/%s: %w", d.namespace, key, err)
	}
	rel.Labels = userLabels(secret.Labels)
	d.read[key], d.versions[key] = &rel, secret.ResourceVersion
	return &rel, nil
}

// List is not used by the actions here.
func (d *secretsDriver) List(func(*release.Release) bool) ([]*release.Release, error) {
	return nil, errors.New("releases are not listed across names")
}

// Query returns the releases whose Secrets have the labels: the newest in
// full, the others as outlines.
func (d *secretsDriver) Query(match map[string]string) ([]*release.Release, error) {
	revisions, err := listRevisions(d.ctx, d.conn, d.namespace, match)
	if err != nil {
		return nil, err
	}
	if len(revisions) == 0 {
		return nil, driver.ErrReleaseNotFound
	}
	releases := make([]*release.Release, 0, len(revisions))
	for _, r := range revisions[:len(revisions)-1] {
		if rel, ok := d.read[r.secret]; ok {
			releases = append(releases, rel)
			continue
		}
		releases = append(releases, &release.Release{
			Name: match["name"], Namespace: d.namespace, Version: r.number, Labels: userLabels(r.labels),
			Info: &release.Info{Status: r.status},
		})
	}
	newest, err := d.Get(revisions[len(revisions)-1].secret)
	if err != nil {
		return nil, err
	}
	return append(releases, newest), nil
}

// Create writes the first record of a release.
func (d *secretsDriver) Create(key string, rel *release.Release) error {
	if d.prepare != nil {
		if err := d.prepare(rel); err != nil {
			return err
		}
	}
	secret, err := newReleaseSecret(key, rel, "createdAt")
	if err != nil {
		return err
	}
	created, err := d.conn.Kubernetes().CoreV1().Secrets(d.namespace).Create(d.ctx, secret, metav1.CreateOptions{FieldManager: FieldManager})
	switch {
	case apierrors.IsAlreadyExists(err):
		return driver.ErrReleaseExists
	case err != nil:
		return fmt.Errorf("writing the release Secret %s/%s: %w", d.namespace, key, err)
	}
	d.read[key], d.versions[key] = rel, created.ResourceVersion
	return nil
}

// Update overwrites the record of a release, unless somebody else has since it was
// read.
func (d *secretsDriver) Update(key string, rel *release.Release) error {
	if rel.Chart == nil {
		return fmt.Errorf("the release Secret %s/%s was read as an outline, and is not written", d.namespace, key)
	}
	if rel.Version == d.failed && rel.Info.Status == release.StatusSuperseded {
		rel.Info.Status = release.StatusFailed
	}
	secret, err := newReleaseSecret(key, rel, "modifiedAt")
	if err != nil {
		return err
	}
	secret.ResourceVersion = d.versions[key]
	updated, err := d.conn.Kubernetes().CoreV1().Secrets(d.namespace).Update(d.ctx, secret, metav1.UpdateOptions{FieldManager: FieldManager})
	switch {
	case apierrors.IsConflict(err):
		return installer.Errorf(installer.ReasonReleaseConflict,
			"revision %d of the release was written by another process meanwhile, which has taken over", rel.Version)
	case err != nil:
		return fmt.Errorf("writing the release Secret %s/%s: %w", d.namespace, key, err)
	}
	d.versions[key] = updated.ResourceVersion
	return nil
}

// Delete removes the record of a release. Unlike Helm's driver it does not
// return it: nobody looks at it.
func (d *secretsDriver) Delete(key string) (*release.Release, error) {
	delete(d.read, key)
	delete(d.versions, key)
	err := d.conn.Kubernetes().CoreV1().Secrets(d.namespace).Delete(d.ctx, key, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil, driver.ErrReleaseNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("deleting the release Secret %s/%s: %w", d.namespace, key, err)
	}
	return nil, nil
}

func newReleaseSecret(key string, rel *release.Release, timestamp string) (*corev1.Secret, error) {
	data, err := encodeRelease(rel)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(rel.Labels)
	if all == nil {
		all = map[string]string{}
	}
	all["name"], all["owner"] = rel.Name, "helm"
	all["status"], all["version"] = rel.Info.Status.String(), strconv.Itoa(rel.Version)
	all[timestamp] = strconv.FormatInt(time.Now().Unix(), 10)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: key, Labels: all},
		Type:       releaseSecretType,
		Data:       map[string][]byte{releaseKey: data},
	}, nil
}

func userLabels(all map[string]string) map[string]string {
	labels := maps.Clone(all)
	maps.DeleteFunc(labels, func(key, _ string) bool { return slices.Contains(driver.GetSystemLabels(), key) })
	return labels
}

// encodeRelease writes a release in Helm's form. Helm compresses as hard as it
// can, three or four times for each install; that is left for the releases that
// would not fit otherwise.
func encodeRelease(rel *release.Release) ([]byte, error) {
	plain, err := json.Marshal(rel)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "the release cannot be written as JSON")
	}
	return encodePlain(plain, maxReleaseBytes)
}

// encodePlain fails when the outcome is larger than limit.
func encodePlain(plain []byte, limit int) ([]byte, error) {
	var size int
	for _, level := range []int{gzip.DefaultCompression, gzip.BestCompression} {
		encoded, err := compress(plain, level)
		if err != nil {
			return nil, err
		}
		if size = len(encoded); size <= limit {
			return encoded, nil
		}
	}
	return nil, installer.Terminalf(installer.ReasonTooLarge,
		"the release does not fit into the Secret that Helm keeps it in: chart, values and manifests take %d KiB compressed, and there is room for %d KiB: use a chart without the subcharts, CRDs and files that are not needed, or the method manifest",
		(size+1023)>>10, limit>>10)
}

func compress(plain []byte, level int) ([]byte, error) {
	var out bytes.Buffer
	encoder := base64.NewEncoder(base64.StdEncoding, &out)
	zipper, err := gzip.NewWriterLevel(encoder, level)
	if err != nil {
		return nil, err
	}
	if _, err := zipper.Write(plain); err != nil {
		return nil, err
	}
	if err := errors.Join(zipper.Close(), encoder.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decodeRelease reads what Helm wrote into a release, or into a type with some
// of its fields.
func decodeRelease(data []byte, into any) error {
	notHelm := errors.New("it does not hold a release")
	raw, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(data)))
	if err != nil {
		return notHelm
	}
	// Helm 2 and the first releases of Helm 3 did not compress.
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b, 0x08}) {
		unzipped, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return notHelm
		}
		if raw, err = io.ReadAll(io.LimitReader(unzipped, maxDecodedRelease+1)); err != nil {
			return notHelm
		}
		if len(raw) > maxDecodedRelease {
			return fmt.Errorf("it unpacks to more than %d MiB", maxDecodedRelease>>20)
		}
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return notHelm
	}
	return nil
}

// boundRelease refuses a release whose manifests are larger than they look: Helm
// reads them without a bound.
func boundRelease(rel *release.Release) error {
	if err := eachDocument(strings.NewReader(rel.Manifest), func([]byte) error { return nil }); err != nil {
		return err
	}
	for _, hook := range rel.Hooks {
		if hook == nil {
			return errors.New("it has a hook that is null")
		}
		if err := safeyaml.Bounded([]byte(hook.Manifest)); err != nil {
			return fmt.Errorf("the hook %s: %w", shorten(hook.Name, 128), err)
		}
	}
	return nil
}

// listRevisions returns what the metadata of release Secrets tells, the oldest
// revision first.
func listRevisions(ctx context.Context, conn *cluster.Connection, namespace string, match map[string]string) ([]revision, error) {
	list, err := conn.Metadata().Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: labels.Set(match).AsSelector().String()})
	if err != nil {
		return nil, fmt.Errorf("listing the release Secrets in namespace %s: %w", namespace, err)
	}
	var revisions []revision
	for i := range list.Items {
		item := &list.Items[i]
		number, err := strconv.Atoi(item.Labels["version"])
		if err != nil || !strings.HasPrefix(item.Name, storage.HelmStorageType+".") {
			continue
		}
		r := revision{
			number: number, status: release.Status(item.Labels["status"]), labels: item.Labels,
			written: item.CreationTimestamp.Time, held: item.Annotations[annotationHeld],
			secret: item.Name, resourceVersion: item.ResourceVersion,
		}
		for _, f := range item.ManagedFields {
			if f.Time != nil && !f.Time.Time.Before(r.written) {
				r.written, r.byKSIT = f.Time.Time, f.Manager == FieldManager
			}
		}
		revisions = append(revisions, r)
	}
	slices.SortFunc(revisions, func(a, b revision) int { return cmp.Compare(a.number, b.number) })
	return revisions, nil
}

// releaseQuery are the labels of the Secrets of a release.
func releaseQuery(name string) map[string]string {
	return map[string]string{"name": name, "owner": "helm"}
}
