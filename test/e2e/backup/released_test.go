// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/test/bed"
)

// TestControllersOnDataOfReleases has the controllers of this version work on what
// each release has stored, with a host that has none of the Secrets, so that no
// target can be reached. They take up every object and give none up.
func TestControllersOnDataOfReleases(t *testing.T) {
	files, err := filepath.Glob("../../../pkg/apiserver/testdata/v*/etcd.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no data of a release: %v", err)
	}
	w := up(t, bed.Options{}, bed.KSITOptions{Binary: program(t)})
	for _, namespace := range []string{teamA, teamB} {
		w.kubectl(t, "", "create", "namespace", namespace)
	}
	for _, file := range files {
		version := filepath.Base(filepath.Dir(file))
		t.Run(version, func(t *testing.T) {
			w.stop(t)
			must(t, os.RemoveAll(w.run.DataDir))
			w.start(t)
			keys := w.load(t, file)
			// The caches are filled anew, as those of a server that starts on it.
			w.run.Process.Kill()
			w.start(t)
			wait(t, "the controllers to look at everything", w.lookedAt)
			client := w.etcd(t)
			for _, key := range keys {
				answer, err := client.Get(t.Context(), key)
				must(t, err)
				if answer.Count != 1 {
					t.Errorf("%s is gone", key)
				}
			}
		})
	}
}

// load puts what a release stored into the etcd of the KSIT that runs.
func (w *world) load(t *testing.T, file string) []string {
	t.Helper()
	packed, err := os.Open(file)
	must(t, err)
	defer packed.Close()
	unzipped, err := gzip.NewReader(packed)
	must(t, err)
	var data []struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	}
	must(t, json.NewDecoder(unzipped).Decode(&data))
	client := w.etcd(t)
	var keys []string
	for _, s := range data {
		_, err := client.Put(t.Context(), s.Key, string(s.Value))
		must(t, err)
		keys = append(keys, s.Key)
	}
	return keys
}

// lookedAt tells whether every enabled Integration has an Installation for each
// target, and each of those a status of what this version sees.
func (w *world) lookedAt(ctx context.Context) error {
	integrations, err := w.ksit.KsitV1alpha1().Integrations("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var missing []error
	for _, i := range integrations.Items {
		if i.Status.ObservedGeneration != i.Generation || i.Status.Targets == 0 {
			missing = append(missing, fmt.Errorf("Integration %s/%s: %+v", i.Namespace, i.Name, i.Status))
		}
	}
	targets, err := w.ksit.KsitV1alpha1().IntegrationTargets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, target := range targets.Items {
		if target.Status.ObservedGeneration != target.Generation {
			missing = append(missing, fmt.Errorf("IntegrationTarget %s/%s: %+v", target.Namespace, target.Name, target.Status))
		}
	}
	installations, err := w.ksit.KsitV1alpha1().Installations("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, i := range installations.Items {
		if i.Status.Message == "" || strings.Contains(i.Status.Message, "not ready") && i.Name == "full.one" {
			missing = append(missing, fmt.Errorf("Installation %s/%s: %s", i.Namespace, i.Name, i.Status.Message))
		}
	}
	return errors.Join(missing...)
}
