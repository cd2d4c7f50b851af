// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/test/env"
)

// TestOnHost runs Keepers and Providers against a real API, and its aggregator.
func TestOnHost(t *testing.T) {
	cluster := env.Start(t, env.Options{})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *env.Cluster)
	}{
		{"two keepers agree", testAgree},
		{"what is edited is repaired", testRepair},
		{"others are left alone", testOthers},
		{"Secrets that come later", testLater},
		{"the provider keeps the last good pair", testProvider},
		{"rotation under load", testLoad},
		{"the host is away", testAway},
	} {
		if !t.Run(test.name, func(t *testing.T) { test.run(t, cluster) }) {
			return
		}
	}
}

func testAgree(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "agree")
	listener, port := listen(t)
	s.register(port)
	s.keep()
	s.keep()
	s.serve(listener)
	first := s.until("all is as wanted", s.rests)
	if string(first.bundle) != string(first.signer.certPEM) || string(first.serving.data[bundleKey]) != string(first.bundle) {
		t.Error("the host does not trust just the one authority")
	}
	if met, err := s.dial(port, first.bundle); err != nil || !met.Equal(first.served.cert) {
		t.Errorf("the connection met %v: %v", met, err)
	}
	s.ask(s.options.Authority, "1")
	s.until("another authority signs", func(st *state) bool {
		return st.signer != nil && !st.signer.cert.Equal(first.signer.cert) && s.rests(st)
	})
	s.eventually("there are Events", func() bool {
		list, err := cluster.Client.EventsV1().Events("agree").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		seen := map[string]bool{}
		for _, event := range list.Items {
			seen[event.Reason] = true
			if strings.Contains(event.Note, "KEY") {
				t.Errorf("the Event says %q", event.Note)
			}
		}
		return seen[string(createAuthority)] && seen[string(promoteAuthority)] && seen[string(issueCertificate)]
	})
}

func testRepair(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "repair")
	_, port := listen(t)
	s.register(port)
	s.keep()
	good := s.until("all is as wanted", s.rests)
	other, err := newAuthority(time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, patch := range []string{`{"spec":{"caBundle":null}}`, fmt.Sprintf(`{"spec":{"caBundle":"%s"}}`, base64Of(other.certPEM))} {
		_, err := s.host.dynamic.Resource(apiServices).Patch(t.Context(), APIServiceName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.until("the bundle is repaired", func(st *state) bool { return string(st.bundle) == string(good.bundle) })
	}
	s.patch(s.options.Serving, `{"data":{"tls.key":"eA=="}}`)
	s.until("a broken pair is replaced", func(st *state) bool { return st.served != nil && s.rests(st) })
	s.patch(s.options.Authority, `{"data":null}`)
	after := s.until("a lost authority is replaced", func(st *state) bool { return st.signer != nil && s.rests(st) })
	if after.signer.cert.Equal(good.signer.cert) {
		t.Error("the lost authority is back")
	}
}

func testOthers(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "others")
	_, port := listen(t)
	s.register(port)
	s.options.Names = []string{"localhost"}
	s.host.options = s.options
	s.keep()
	s.until("all is as wanted", s.rests)
	found, err := s.host.dynamic.Resource(apiServices).Get(t.Context(), APIServiceName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if bundle, there := found.Object["spec"].(map[string]any)["caBundle"]; there {
		t.Errorf("an APIService of others has the bundle %v", bundle)
	}
}

func testLater(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "later")
	secrets := cluster.Client.CoreV1().Secrets("later")
	if err := secrets.Delete(t.Context(), s.options.Authority.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.tryState(); err == nil || !strings.Contains(err.Error(), "make an empty one") {
		t.Errorf("without its Secret it says %v", err)
	}
	s.keep()
	provider := NewProvider(cluster.Client, s.options.Serving)
	if err := provider.Wait(t.Context(), 2*time.Second); err == nil || !strings.Contains(err.Error(), s.options.Serving.String()) {
		t.Errorf("without a certificate it says %v", err)
	}
	s.makeSecret(s.options.Authority)
	if err := provider.Wait(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
}

func testProvider(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "provider")
	stop := s.keep()
	listener, port := listen(t)
	provider := s.serve(listener)
	good := s.until("all is as wanted", s.rests)
	trusted := good.serving.data[bundleKey]
	// From here on, nobody repairs.
	stop()
	expired, err := newCertificate(good.signer, Options{Names: s.options.Names, Validity: time.Minute}, time.Now().Add(-30*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{
		`{"data":{"tls.key":"eA=="}}`,
		`{"data":null}`,
		fmt.Sprintf(`{"data":{"tls.crt":"%s","tls.key":"%s"}}`, base64Of(expired.certPEM), base64Of(expired.keyPEM)),
	} {
		s.patch(s.options.Serving, broken)
		secret, err := s.host.secret(t.Context(), s.options.Serving)
		if err != nil {
			t.Fatal(err)
		}
		s.eventually("the provider has seen it", func() bool {
			provider.mu.RLock()
			defer provider.mu.RUnlock()
			return provider.refused == secret.ResourceVersion
		})
		if met, err := s.dial(port, trusted); err != nil || !met.Equal(good.served.cert) {
			t.Fatalf("the connection met %v: %v", met, err)
		}
	}
	if err := cluster.Client.CoreV1().Secrets("provider").Delete(t.Context(), s.options.Serving.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if met, err := s.dial(port, trusted); err != nil || !met.Equal(good.served.cert) {
		t.Fatalf("the connection met %v: %v", met, err)
	}
	s.makeSecret(s.options.Serving)
	s.keep()
	s.eventually("another certificate is served", func() bool {
		met, err := s.dial(port, trusted)
		return err == nil && !met.Equal(good.served.cert)
	})
}

// testLoad rotates while requests pass through the aggregator, and while new
// connections are made as it would. Not one fails.
func testLoad(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "load")
	listener, port := listen(t)
	s.register(port)
	s.keep()
	s.serve(listener)
	st := s.until("all is as wanted", s.rests)
	list := func(ctx context.Context) error {
		return cluster.Client.CoreV1().RESTClient().Get().AbsPath("/apis/ksit.io/v1alpha1/things").MaxRetries(0).Do(ctx).Error()
	}
	s.eventually("the host serves it", func() bool { return list(t.Context()) == nil })

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var done sync.WaitGroup
	counts, failures := make([]int, 2), make([][]error, 2)
	for i, do := range []func() error{
		func() error { return list(ctx) },
		func() error {
			f, err := s.host.read(ctx)
			if err != nil {
				return err
			}
			_, err = s.dial(port, f.observed().bundle)
			return err
		},
	} {
		done.Go(func() {
			for ctx.Err() == nil {
				if err := do(); err != nil && ctx.Err() == nil {
					failures[i] = append(failures[i], err)
				}
				counts[i]++
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	for n := range 3 {
		s.ask(s.options.Serving, fmt.Sprint(n))
		before := st
		s.until("another certificate is served", func(st *state) bool { return st.served != nil && !st.served.cert.Equal(before.served.cert) })
		s.ask(s.options.Authority, fmt.Sprint(n))
		st = s.until("another authority alone is trusted", func(st *state) bool {
			return st.signer != nil && !st.signer.cert.Equal(before.signer.cert) && s.rests(st)
		})
	}
	stop()
	done.Wait()
	t.Logf("%d requests through the aggregator, %d new connections", counts[0], counts[1])
	if all := append(failures[0], failures[1]...); len(all) > 0 || counts[0] == 0 || counts[1] == 0 {
		t.Errorf("%d failed: %v", len(all), errors.Join(all[:min(5, len(all))]...))
	}
}

// testAway has the host go away in the middle of a rotation, for longer than the
// overlap. What is served is served on, and the rotation goes on afterwards.
func testAway(t *testing.T, cluster *env.Cluster) {
	s := newSite(t, cluster, "away")
	listener, port := listen(t)
	s.register(port)
	s.keep()
	s.serve(listener)
	before := s.until("all is as wanted", s.rests)
	s.ask(s.options.Authority, "1")
	during := s.until("another authority is announced", func(st *state) bool { return st.next != nil && len(parseBundle(st.bundle, st.now)) == 2 })
	cluster.StopAPI()
	for end := time.Now().Add(2 * s.options.Overlap); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err := s.dial(port, during.bundle); err != nil {
			t.Fatal(err)
		}
	}
	cluster.StartAPI()
	s.until("another authority alone is trusted", func(st *state) bool {
		return st.signer != nil && !st.signer.cert.Equal(before.signer.cert) && s.rests(st)
	})
	s.eventually("the server has it", func() bool {
		_, err := s.dial(port, s.state().bundle)
		return err == nil
	})
}
