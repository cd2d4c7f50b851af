// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/scheme"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

const (
	objects = 3000
	rounds  = 6
	// lists is how often all objects are listed.
	lists = 9
	// watched is how many changes a watch is timed with.
	watched = 960

	jsonType     = "application/json"
	protobufType = "application/vnd.kubernetes.protobuf"
)

// Names of the subjects, which the names of the figures begin with.
const (
	viaCRD        = "crd"
	viaDirect     = "direct"
	viaAggregator = "aggregated"
	viaProtobuf   = "protobuf"
)

// BenchmarkAPI measures KSIT's API server against a CRD of the same shape on the
// kube-apiserver that KSIT is registered with. Both keep their objects in an etcd
// of the same kind. There are no controllers: nothing but the requests measured
// goes on. The verbs after create need what it made: they do not run alone.
func BenchmarkAPI(b *testing.B) {
	on := newBed(b, bed.Options{})
	run := startAPIServer(b, on)
	host, err := on.Host.Client()
	if err != nil {
		b.Fatal(err)
	}
	createCRD(b, on, run, host)
	integration := wholeIntegration(b, on)
	hostConfig, direct := on.Host.RESTConfig(), directConfig(on, run)

	subjects := []*subject{
		newSubject(b, viaCRD, hostConfig, crdGroup, jsonType, integration),
		newSubject(b, viaDirect, direct, v1alpha1.GroupName, jsonType, integration),
		newSubject(b, viaAggregator, hostConfig, v1alpha1.GroupName, jsonType, integration),
		newSubject(b, viaProtobuf, direct, v1alpha1.GroupName, protobufType, integration),
	}
	for _, s := range subjects {
		if err := newNamespace(b.Context(), host, s.name); err != nil {
			b.Fatal(err)
		}
	}
	// A namespace is known to the servers a moment after it is created.
	for _, s := range subjects {
		if err := poll.Until(b.Context(), time.Minute, func(ctx context.Context) error {
			return s.create(ctx, s.clients[0], objects)
		}); err != nil {
			b.Fatal(err)
		}
		if err := s.do(b.Context(), s.clients[0], http.MethodDelete, "/"+objectName(objects), "", nil, io.Discard); err != nil {
			b.Fatal(err)
		}
	}

	for _, verb := range []struct {
		name string
		do   call
	}{
		{"create", func(ctx context.Context, s *subject, c *http.Client, n int) error { return s.create(ctx, c, n) }},
		{"get", func(ctx context.Context, s *subject, c *http.Client, n int) error { return s.get(ctx, c, n) }},
		{"update-status", func(ctx context.Context, s *subject, c *http.Client, n int) error { return s.patchStatus(ctx, c, n, n) }},
	} {
		b.Run(verb.name, func(b *testing.B) {
			rates := inTurns(b, subjects, objects, rounds, verb.do)
			for name, rate := range rates {
				b.ReportMetric(rate, name+"/s")
				if name != viaCRD {
					b.ReportMetric(rate/rates[viaCRD], name+"-x-of-crd")
				}
			}
			reportLoad(b)
		})
	}
	b.Run("list", func(b *testing.B) {
		took := map[string][]time.Duration{}
		for range lists {
			for _, s := range subjects {
				begin := time.Now()
				if err := s.do(b.Context(), s.clients[0], http.MethodGet, "", "", nil, io.Discard); err != nil {
					b.Fatal(err)
				}
				took[s.name] = append(took[s.name], time.Since(begin))
			}
		}
		reportTimes(b, took)
	})
	b.Run("watch", func(b *testing.B) {
		took := map[string][]time.Duration{}
		for round := range rounds {
			for _, s := range subjects {
				if s.mediaType == jsonType { // The frames of the other are not lines.
					took[s.name] = append(took[s.name], s.watchLatencies(b, watched*round/rounds, watched*(round+1)/rounds)...)
				}
			}
		}
		reportTimes(b, took)
	})
	if dir := os.Getenv("KSIT_BENCH_PROFILES"); dir != "" {
		profileAPI(b, dir, subjects, map[string]*rest.Config{"host": hostConfig, "ksit": direct})
	}
}

// reportTimes reports medians, and how many times as long the CRD takes.
func reportTimes(b *testing.B, took map[string][]time.Duration) {
	medians := map[string]time.Duration{}
	for name, durations := range took {
		medians[name] = median(durations)
		b.ReportMetric(milliseconds(medians[name]), name+"-ms")
	}
	for name, m := range medians {
		if name != viaCRD {
			b.ReportMetric(float64(medians[viaCRD])/float64(m), name+"-x-of-crd")
		}
	}
	reportLoad(b)
}

// watchLatencies has all clients patch objects, and returns how long after each
// request was sent its change came out of a watch.
func (s *subject) watchLatencies(b *testing.B, first, end int) []time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), eventually)
	defer cancel()
	var list bytes.Buffer
	if err := s.do(ctx, s.clients[0], http.MethodGet, "?limit=1", "", nil, &list); err != nil {
		b.Fatal(err)
	}
	var head struct {
		Metadata struct{ ResourceVersion string }
	}
	if err := json.Unmarshal(list.Bytes(), &head); err != nil {
		b.Fatal(err)
	}
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() {
		path := "?watch=true&resourceVersion=" + head.Metadata.ResourceVersion
		writer.CloseWithError(s.do(ctx, s.clients[0], http.MethodGet, path, "", nil, writer))
	}()

	var mu sync.Mutex
	sent := map[string]time.Time{}
	failed := make(chan error, 1)
	go func() {
		_, err := s.each(ctx, first, end, func(ctx context.Context, s *subject, c *http.Client, n int) error {
			mu.Lock()
			sent[objectName(n)] = time.Now()
			mu.Unlock()
			return s.patchStatus(ctx, c, n, objects+n)
		})
		if err != nil {
			cancel()
		}
		failed <- err
	}()
	var took []time.Duration
	lines := bufio.NewReaderSize(reader, 1<<20)
	for len(took) < end-first {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			b.Fatalf("reading the watch of %s: %v", s.name, err)
		}
		received := time.Now()
		var event struct {
			Object struct{ Metadata metav1.ObjectMeta }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			b.Fatalf("reading the watch of %s: %v", s.name, err)
		}
		mu.Lock()
		begin, ok := sent[event.Object.Metadata.Name]
		mu.Unlock()
		if ok {
			took = append(took, received.Sub(begin))
		}
	}
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	return took
}

// wholeIntegration is the largest Integration of the user's guide, with all the
// defaults that KSIT gives it: the CRD, which has none, is to keep as much.
func wholeIntegration(b *testing.B, on *bed.Bed) *v1alpha1.Integration {
	b.Helper()
	data, err := os.ReadFile("../../../artifacts/samples/prometheus.yaml")
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := bed.ParseObjects(data)
	if err != nil {
		b.Fatal(err)
	}
	integration := &v1alpha1.Integration{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(parsed[0].Object, integration); err != nil {
		b.Fatal(err)
	}
	whole, err := ksitClient(b, on).KsitV1alpha1().Integrations(system).Create(b.Context(), integration, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		b.Fatal(err)
	}
	return &v1alpha1.Integration{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": "platform"}}, Spec: whole.Spec}
}

func newSubject(b *testing.B, name string, config *rest.Config, group, mediaType string, integration *v1alpha1.Integration) *subject {
	s := &subject{
		name:      name,
		url:       fmt.Sprintf("%s/apis/%s/%s/namespaces/%s/integrations", config.Host, group, crdVersion, name),
		mediaType: mediaType,
		clients:   newClients(b, config),
	}
	encoder := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	s.body = func(n int) ([]byte, error) {
		object := *integration
		object.APIVersion, object.Kind = group+"/"+crdVersion, "Integration"
		object.Name = objectName(n)
		if mediaType == jsonType {
			return json.Marshal(&object)
		}
		return runtime.Encode(encoder, &object)
	}
	return s
}

// statusPatch is a status such as the controllers write; no two reports are the
// same.
func statusPatch(report int) []byte {
	now := time.Now().UTC().Format(time.RFC3339)
	condition := func(kind, status string) string {
		return fmt.Sprintf(`{"type":%q,"status":%q,"reason":"AllRunning","message":"2 of 2 clusters run the present spec","observedGeneration":1,"lastTransitionTime":%q}`, kind, status, now)
	}
	return fmt.Appendf(nil, `{"status":{"observedGeneration":1,"phase":"Running","message":"report %d","targets":2,"installed":2,"healthy":2,`+
		`"chart":"kube-prometheus-stack","version":"55.5.0","conditions":[%s,%s,%s],"targetSummaries":[`+
		`{"target":"production-cluster-1","phase":"Running","version":"55.5.0"},{"target":"production-cluster-2","phase":"Running","version":"55.5.0"}]}}`,
		report, condition("Ready", "True"), condition("Progressing", "False"), condition("Stalled", "False"))
}
