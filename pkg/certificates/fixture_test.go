// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/test/env"
)

// soon bounds what should happen within seconds on a machine that may be busy.
const soon = 2 * time.Minute

// site is a namespace of a real API with two empty Secrets and, where wanted, an
// APIService that leads to a server of this process.
type site struct {
	*testing.T
	cluster *env.Cluster
	options Options
	host    *host
}

func newSite(t *testing.T, cluster *env.Cluster, namespace string) *site {
	t.Helper()
	o := testOptions()
	o.Authority.Namespace, o.Serving.Namespace = namespace, namespace
	o.Names = []string{"ksit." + namespace + ".svc", "localhost", "127.0.0.1"}
	o.Overlap = 5 * time.Second
	anything, err := dynamic.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, cluster: cluster, options: o, host: &host{client: cluster.Client, dynamic: anything, options: o}}
	_, err = cluster.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []types.NamespacedName{o.Authority, o.Serving} {
		s.makeSecret(name)
	}
	return s
}

func (s *site) makeSecret(name types.NamespacedName) {
	s.Helper()
	_, err := s.cluster.Client.CoreV1().Secrets(name.Namespace).Create(s.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name.Name}}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
}

// register makes an APIService that leads to a port of this machine, until the
// test ends.
func (s *site) register(port int) {
	s.Helper()
	namespace := s.options.Authority.Namespace
	_, err := s.cluster.Client.CoreV1().Services(namespace).Create(s.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "ksit"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost",
			Ports: []corev1.ServicePort{{Port: int32(port)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	_, err = s.host.dynamic.Resource(apiServices).Create(s.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": APIServiceName},
		"spec": map[string]any{
			"group": "ksit.io", "version": "v1alpha1", "groupPriorityMinimum": int64(1000), "versionPriority": int64(10),
			"service": map[string]any{"name": "ksit", "namespace": namespace, "port": int64(port)},
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		err := s.host.dynamic.Resource(apiServices).Delete(context.Background(), APIServiceName, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			s.Error(err)
		}
	})
}

// keep runs a Keeper until the function returned is called, or the test ends.
func (s *site) keep() (stop func()) {
	s.Helper()
	keeper, err := NewKeeper(s.cluster.Config, s.options, nil)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		keeper.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	s.Cleanup(stop)
	return stop
}

// state is what is on the host now.
func (s *site) state() *state {
	s.Helper()
	st, err := s.tryState()
	if err != nil {
		s.Fatal(err)
	}
	return st
}

func (s *site) tryState() (*state, error) {
	f, err := s.host.read(s.Context())
	if err != nil {
		return nil, err
	}
	return read(f.observed(), time.Now()), nil
}

// until waits until what is on the host is so.
func (s *site) until(what string, so func(*state) bool) *state {
	s.Helper()
	var st *state
	s.eventually(what, func() bool {
		var err error
		st, err = s.tryState()
		return err == nil && so(st)
	})
	return st
}

func (s *site) eventually(what string, so func() bool) {
	s.Helper()
	for deadline := time.Now().Add(soon); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("after %s it is not so that %s", soon, what)
		}
	}
}

// rests is whether there is nothing to do.
func (s *site) rests(st *state) bool {
	return decide(st.observed, s.options, st.now).reason == "all is as wanted"
}

func (s *site) patch(name types.NamespacedName, patch string) {
	s.Helper()
	_, err := s.cluster.Client.CoreV1().Secrets(name.Namespace).Patch(s.Context(), name.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) ask(name types.NamespacedName, value string) {
	s.Helper()
	s.patch(name, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, RotateAnnotation, value))
}

// serve serves something like an API with the certificate of the Secret, as a
// server of the library does, on a port of its own.
func (s *site) serve(listener net.Listener) *Provider {
	s.Helper()
	provider := NewProvider(s.cluster.Client, s.options.Serving)
	if err := provider.Wait(s.Context(), soon); err != nil {
		s.Fatal(err)
	}
	info := &genericapiserver.SecureServingInfo{Listener: listener, Cert: provider}
	stop := make(chan struct{})
	stopped, _, err := info.Serve(http.HandlerFunc(serveThings), time.Second, stop)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		close(stop)
		<-stopped
	})
	return provider
}

func serveThings(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/things") {
		_, _ = fmt.Fprint(w, `{"kind":"ThingList","apiVersion":"ksit.io/v1alpha1","items":[]}`)
		return
	}
	_, _ = fmt.Fprint(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"ksit.io/v1alpha1","resources":[{"name":"things","kind":"Thing","namespaced":false,"verbs":["list"]}]}`)
}

func listen(t *testing.T) (net.Listener, int) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener, listener.Addr().(*net.TCPAddr).Port
}

// dial makes a connection by a bundle, and returns whose certificate it met.
func (s *site) dial(port int, bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: soon},
		Config:    &tls.Config{RootCAs: roots, ServerName: s.options.Names[0], MinVersion: tls.VersionTLS12},
	}
	conn, err := dialer.DialContext(s.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil, errors.New("the connection is not secured")
	}
	return secured.ConnectionState().PeerCertificates[0], nil
}

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
