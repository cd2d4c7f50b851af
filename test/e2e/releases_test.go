// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/test/bed"
)

// historyBound is how many revisions of a release KSIT keeps on a target.
const historyBound = 5

// revision is one revision of a Helm release, as its Secret on a target tells.
type revision struct {
	number  int
	status  string
	chart   string
	version string
	values  map[string]any
}

// releasesOn reads all revisions on a target, the oldest first, by the namespace
// and name of their release; in all namespaces where that is empty. It returns
// an error rather than failing, for targets that may be down.
func releasesOn(ctx context.Context, target *bed.Cluster, namespace string) (map[string][]revision, error) {
	client, err := target.Client()
	if err != nil {
		return nil, err
	}
	secrets, err := client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		return nil, fmt.Errorf("listing the releases on %s: %w", target.Name, err)
	}
	releases := map[string][]revision{}
	for _, secret := range secrets.Items {
		record, err := decodeRelease(&secret)
		if err != nil {
			return nil, err
		}
		number, err := strconv.Atoi(secret.Labels["version"])
		if err != nil {
			return nil, fmt.Errorf("Secret %s: %w", secret.Name, err)
		}
		key := secret.Namespace + "/" + secret.Labels["name"]
		releases[key] = append(releases[key], revision{
			number:  number,
			status:  secret.Labels["status"],
			chart:   text(record, "chart", "metadata", "name"),
			version: text(record, "chart", "metadata", "version"),
			values:  child(record, "config"),
		})
	}
	for _, revisions := range releases {
		slices.SortFunc(revisions, func(a, b revision) int { return cmp.Compare(a.number, b.number) })
	}
	return releases, nil
}

// history is the revisions of the release of an Integration of generic's.
func history(t testing.TB, target *bed.Cluster, name string) []revision {
	t.Helper()
	releases, err := releasesOn(t.Context(), target, name)
	if err != nil {
		t.Fatal(err)
	}
	return releases[name+"/"+name]
}

// sound tells what is wrong with the history of a release that shall be deployed,
// if anything is: whatever went before, there is one deployed revision, the
// newest, none is pending, and there are not too many.
func sound(revisions []revision) error {
	if len(revisions) == 0 {
		return fmt.Errorf("there is no release")
	}
	for _, r := range revisions[:len(revisions)-1] {
		if r.status != "superseded" && r.status != "failed" {
			return fmt.Errorf("revision %d is %s although there are newer ones", r.number, r.status)
		}
	}
	if newest := revisions[len(revisions)-1]; newest.status != "deployed" {
		return fmt.Errorf("the newest revision, %d, is %s", newest.number, newest.status)
	}
	if len(revisions) > historyBound {
		return fmt.Errorf("there are %d revisions, more than %d", len(revisions), historyBound)
	}
	return nil
}

// leavePending leaves a release as a KSIT does that dies in the middle: its
// newest revision, or one more unless it is the first install, is pending.
func leavePending(t testing.TB, target *bed.Cluster, name, status string) {
	t.Helper()
	client := clientOf(t, target)
	revisions := history(t, target, name)
	if len(revisions) == 0 {
		t.Fatalf("there is no release %s", name)
	}
	newest := revisions[len(revisions)-1].number
	secrets := client.CoreV1().Secrets(name)
	secret, err := secrets.Get(t.Context(), secretName(name, newest), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	record, err := decodeRelease(secret)
	if err != nil {
		t.Fatal(err)
	}
	child(record, "info")["status"] = status
	secret.Labels["status"] = status
	// By this name it is told from what somebody's own Helm has begun.
	const manager = "ksit"
	if status == "pending-install" {
		secret.Data["release"] = encodeRelease(t, record)
		_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{FieldManager: manager})
	} else {
		record["version"] = newest + 1
		secret.Labels["version"] = strconv.Itoa(newest + 1)
		_, err = secrets.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: secretName(name, newest+1), Labels: secret.Labels},
			Type:       secret.Type,
			Data:       map[string][]byte{"release": encodeRelease(t, record)},
		}, metav1.CreateOptions{FieldManager: manager})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func secretName(release string, number int) string {
	return fmt.Sprintf("sh.helm.release.v1.%s.v%d", release, number)
}

func decodeRelease(secret *corev1.Secret) (map[string]any, error) {
	packed, err := base64.StdEncoding.DecodeString(string(secret.Data["release"]))
	if err != nil {
		return nil, fmt.Errorf("Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	var record map[string]any
	return record, json.NewDecoder(unpacked).Decode(&record)
}

func encodeRelease(t testing.TB, record map[string]any) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := json.NewEncoder(w).Encode(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(packed.Bytes()))
}

func child(object map[string]any, name string) map[string]any {
	found, _ := object[name].(map[string]any)
	return found
}

func text(object map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		object = child(object, name)
	}
	found, _ := object[path[len(path)-1]].(string)
	return found
}

func clientOf(t testing.TB, cluster *bed.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// deploymentUID tells one Deployment from another of its name: it stays while the
// Deployment is changed, and is another one once it was deleted and made again.
func deploymentUID(t testing.TB, target *bed.Cluster, name string) types.UID {
	t.Helper()
	deployment, err := clientOf(t, target).AppsV1().Deployments(name).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return deployment.UID
}

// pending tells whether any revision is pending.
func pending(revisions []revision) bool {
	return slices.ContainsFunc(revisions, func(r revision) bool { return strings.HasPrefix(r.status, "pending") })
}
