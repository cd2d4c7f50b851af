// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"

	"ksit.io/ksit/pkg/admission/integrationorder"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/etcd"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	ksitrest "ksit.io/ksit/pkg/registry/ksit/rest"
)

// fixture is an API server in this process, on a real etcd. Who may call it differs
// from production: the client is all-powerful, and everybody else is anonymous and
// refused. Of admission it has the plug-in of KSIT.
type fixture struct {
	client *rest.Config
	ksit   versioned.Interface
	etcd   *etcd.Server
	server *apiserver.Server

	stop    context.CancelFunc
	stopped chan struct{}
	err     error
}

// start starts the fixture. What is done to the server before it runs is up to
// the functions given.
func start(t *testing.T, prepare ...func(*apiserver.Server)) *fixture {
	t.Helper()
	return startWith(t, func(*apiserver.Config) {}, prepare...)
}

// startWith is start for a server that is configured in some other way.
func startWith(t *testing.T, configure func(*apiserver.Config), prepare ...func(*apiserver.Server)) *fixture {
	t.Helper()
	return startOn(t, openEtcd(t), configure, prepare...)
}

func openEtcd(t *testing.T) *etcd.Server {
	t.Helper()
	storage, err := etcd.Open(t.Context(), etcd.Options{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := storage.Close(); err != nil {
			t.Errorf("closing etcd: %v", err)
		}
	})
	return storage
}

// startOn is startWith for a server on an etcd that may hold something already.
func startOn(t *testing.T, storage *etcd.Server, configure func(*apiserver.Config), prepare ...func(*apiserver.Server)) *fixture {
	t.Helper()
	config := newConfig(t, storage.Endpoint())
	configure(config)
	f := &fixture{etcd: storage, stopped: make(chan struct{})}

	completed, err := config.Complete()
	if err != nil {
		t.Fatal(err)
	}
	// Made by Complete together with the right to use it.
	f.client = rest.CopyConfig(config.Generic.LoopbackClientConfig)
	if f.ksit, err = versioned.NewForConfig(f.client); err != nil {
		t.Fatal(err)
	}
	if f.server, err = completed.New(); err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(f.server)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	f.stop = stop
	go func() {
		defer close(f.stopped)
		f.err = f.server.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-f.stopped
	})
	f.eventually(t, "readiness", func() error { return f.get(t, "/readyz") })
	return f
}

func newConfig(t *testing.T, endpoint string) *apiserver.Config {
	t.Helper()
	config, err := apiserver.NewConfig()
	if err != nil {
		t.Fatal(err)
	}
	generic := &config.Generic.Config

	run := genericoptions.NewServerRunOptionsForComponent(
		basecompatibility.DefaultKubeComponent, compatibility.DefaultComponentGlobalsRegistry)
	run.ShutdownWatchTerminationGracePeriod = 5 * time.Second
	run.ShutdownSendRetryAfter = true
	if err := run.ApplyTo(generic); err != nil {
		t.Fatal(err)
	}
	serving := genericoptions.NewSecureServingOptions().WithLoopback()
	serving.ServerCert.CertDirectory = ""
	if serving.Listener, serving.BindPort, err = genericoptions.CreateListener("tcp", "127.0.0.1:0", net.ListenConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := serving.ApplyToConfig(generic); err != nil {
		t.Fatal(err)
	}
	generic.Authentication.Authenticator = anonymous.NewAuthenticator(nil)
	generic.Authorization.Authorizer = authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)

	storage := genericoptions.NewEtcdOptions(storagebackend.NewDefaultConfig("/registry", nil))
	storage.StorageConfig.Transport.ServerList = []string{endpoint}
	storage.DefaultStorageMediaType = runtime.ContentTypeProtobuf
	if err := apiserver.ApplyStorage(generic, storage, config.Scheme); err != nil {
		t.Fatal(err)
	}
	loopback, err := versioned.NewForConfig(generic.LoopbackClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Live = &ksitrest.Live{Targets: unansweredTargets{}, Installations: unanswered{}}
	order := integrationorder.New()
	order.SetIntegrations(loopback.KsitV1alpha1())
	generic.AdmissionControl = order
	return config
}

// get asks for a path and returns an error with the answer unless that is 200.
func (f *fixture) get(t *testing.T, path string) error {
	t.Helper()
	response := f.raw(t, path, nil)
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	return errors.Join(fmt.Errorf("%s: %s: %s", path, response.Status, body), err)
}

// raw sends a request and returns the response; the caller closes its body.
func (f *fixture) raw(t *testing.T, path string, header http.Header) *http.Response {
	t.Helper()
	client, err := rest.HTTPClientFor(f.client)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.client.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, values := range header {
		request.Header[key] = values
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (f *fixture) eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
		select {
		case <-f.stopped:
			t.Fatalf("waiting for %s: the server stopped: %v", what, f.err)
		default:
		}
	}
	t.Fatalf("waiting for %s: %v", what, err)
}

func newIntegration(name string) *v1alpha1.Integration {
	return &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.IntegrationSpec{
			Type:           v1alpha1.IntegrationTypeArgoCD,
			TargetClusters: []string{"one"},
			AutoInstall:    &v1alpha1.AutoInstall{Enabled: true},
		},
	}
}
