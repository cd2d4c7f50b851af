// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/etcd"
)

// What a release stored is in testdata, in a directory of its version: the keys of
// its etcd in dataFile, and how it served them in servedFile.
const (
	dataFile   = "etcd.json.gz"
	servedFile = "served.yaml"
)

// stored is a key of etcd with its value.
type stored struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// served is everything that a server shows of its etcd.
type served struct {
	Integrations       []v1alpha1.Integration       `json:"integrations"`
	IntegrationTargets []v1alpha1.IntegrationTarget `json:"integrationTargets"`
	Installations      []v1alpha1.Installation      `json:"installations"`
	// Logs are by namespace/name of the Installation.
	Logs map[string]string `json:"logs"`
}

func etcdClient(t *testing.T, storage *etcd.Server) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{storage.Endpoint()}, Context: t.Context(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// dump returns all keys of KSIT's objects.
func dump(t *testing.T, storage *etcd.Server) []stored {
	t.Helper()
	answer, err := etcdClient(t, storage).Get(t.Context(), "/registry/ksit.io/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	var all []stored
	for _, kv := range answer.Kvs {
		all = append(all, stored{Key: string(kv.Key), Value: kv.Value})
	}
	return all
}

// startOnData starts a server on an etcd with the keys given.
func startOnData(t *testing.T, data []stored) *fixture {
	t.Helper()
	storage := openEtcd(t)
	client := etcdClient(t, storage)
	for _, s := range data {
		if _, err := client.Put(t.Context(), s.Key, string(s.Value)); err != nil {
			t.Fatal(err)
		}
	}
	return startOn(t, storage, func(*apiserver.Config) {})
}

// show returns all that the server shows, but for resource versions, which an etcd
// gives anew.
func (f *fixture) show(t *testing.T) served {
	t.Helper()
	ksit := f.ksit.KsitV1alpha1()
	integrations, err := ksit.Integrations("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := ksit.IntegrationTargets("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	installations, err := ksit.Installations("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := served{Integrations: integrations.Items, IntegrationTargets: targets.Items, Installations: installations.Items, Logs: map[string]string{}}
	for n := range all.Integrations {
		all.Integrations[n].ResourceVersion = ""
	}
	for n := range all.IntegrationTargets {
		all.IntegrationTargets[n].ResourceVersion = ""
	}
	for n := range all.Installations {
		i := &all.Installations[n]
		i.ResourceVersion = ""
		text, err := ksit.RESTClient().Get().Namespace(i.Namespace).Resource("installations").Name(i.Name).SubResource("log").
			Param("timestamps", "true").DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all.Logs[i.Namespace+"/"+i.Name] = string(text)
	}
	return all
}

func writeData(dir string, data []stored, shown served) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // testdata is for everybody
		return err
	}
	var packed bytes.Buffer
	zipper, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(zipper).Encode(data); err != nil {
		return err
	}
	if err := zipper.Close(); err != nil {
		return err
	}
	text, err := yaml.Marshal(shown)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{dataFile: packed.Bytes(), servedFile: text} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil { //nolint:gosec // testdata is for everybody
			return err
		}
	}
	return nil
}

func readData(dir string) (data []stored, shown served, err error) {
	packed, err := os.Open(filepath.Join(dir, dataFile))
	if err != nil {
		return nil, served{}, err
	}
	defer packed.Close()
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return nil, served{}, fmt.Errorf("%s: %w", packed.Name(), err)
	}
	if err := json.NewDecoder(unzipped).Decode(&data); err != nil {
		return nil, served{}, fmt.Errorf("%s: %w", packed.Name(), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, servedFile))
	if err != nil {
		return nil, served{}, err
	}
	return data, shown, yaml.UnmarshalStrict(text, &shown)
}
