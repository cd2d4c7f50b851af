// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificates tests that a KSIT which nobody gave a certificate makes
// one, and rotates it while it is used.
package certificates

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/test/bed"
)

const (
	// artifacts is the directory of the manifests that a host cluster gets.
	artifacts = "../../../artifacts/deploy"
	system    = "ksit-system"
	authority = "ksit-ca"
	serving   = "ksit-serving"
	rotate    = "ksit.io/rotate"
	// eventually bounds what should happen soon on a machine that may be busy.
	eventually = 3 * time.Minute
)

// own are the arguments that have KSIT keep its certificates itself, with as
// short an overlap as it takes, and also for the address by which the bed asks
// whether KSIT is ready.
var own = []string{
	"--ca-secret=" + system + "/" + authority,
	"--certificate-overlap=10s",
	"--serving-names=ksit-apiserver.ksit-system.svc,localhost,127.0.0.1",
}

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// world is a bed, and a look at it.
type world struct {
	*testing.T
	bed  *bed.Bed
	kube kubernetes.Interface
	dyn  dynamic.Interface
}

// up brings up a bed without KSIT. It skips the test where there is no binary.
func up(t *testing.T) *world {
	t.Helper()
	if os.Getenv("KSIT") == "" {
		t.Skip("KSIT must be the path of the binary: run make test-e2e")
	}
	b, err := bed.Up(t.Context(), bed.Options{KeepData: os.Getenv("KSIT_KEEP") != "", Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("closing the bed: %v", err)
		}
	})
	w := &world{T: t, bed: b}
	if w.kube, err = b.Host.Client(); err != nil {
		t.Fatal(err)
	}
	if w.dyn, err = dynamic.NewForConfig(b.Host.RESTConfig()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) options(command string, args ...string) bed.KSITOptions {
	return bed.KSITOptions{Binary: os.Getenv("KSIT"), Artifacts: artifacts, Command: command, OwnCertificates: true, Args: args}
}

func (w *world) secret(name string) *corev1.Secret {
	w.Helper()
	secret, err := w.kube.CoreV1().Secrets(system).Get(w.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return secret
}

// ask has a Secret's content rotated.
func (w *world) ask(name, value string) {
	w.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, rotate, value)
	if _, err := w.kube.CoreV1().Secrets(system).Patch(w.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		w.Fatal(err)
	}
}

// bundle is whom the host trusts.
func (w *world) bundle(ctx context.Context) ([]byte, error) {
	apiService, err := w.dyn.Resource(apiServices).Get(ctx, "v1alpha1.ksit.io", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	encoded, _, err := unstructured.NestedString(apiService.Object, "spec", "caBundle")
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(encoded)
}

// eventually waits until something is so.
func (w *world) eventually(what string, so func() bool) {
	w.Helper()
	deadline := time.Now().Add(eventually)
	for !so() {
		if time.Now().After(deadline) {
			w.describe()
			w.Fatalf("after %s it is not so that %s", eventually, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// rotated waits until an authority other than the one given signs, and alone is
// trusted, in the Secrets and by the host.
func (w *world) rotated(before *corev1.Secret) *corev1.Secret {
	w.Helper()
	var now *corev1.Secret
	w.eventually("another authority alone is trusted", func() bool {
		now = w.secret(authority)
		bundle, err := w.bundle(w.Context())
		return err == nil && string(now.Data["tls.crt"]) != string(before.Data["tls.crt"]) &&
			len(now.Data["next.crt"])+len(now.Data["previous.crt"]) == 0 &&
			string(bundle) == string(now.Data["tls.crt"]) && string(w.secret(serving).Data["ca.crt"]) == string(bundle)
	})
	w.verified()
	return now
}

// verified fails the test unless the host trusts what the Secret has served.
func (w *world) verified() {
	w.Helper()
	bundle, err := w.bundle(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	cert, err := parse(w.secret(serving).Data["tls.crt"])
	if err != nil {
		w.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{DNSName: "ksit-apiserver.ksit-system.svc", Roots: roots}); err != nil {
		w.Fatal(err)
	}
}

// describe logs what a failed test is looked into by; no keys.
func (w *world) describe() {
	for _, name := range []string{authority, serving} {
		secret := w.secret(name)
		for key, value := range secret.Data {
			if cert, err := parse(value); err == nil {
				w.Logf("%s, %s: %s by %s, until %s", name, key, cert.Subject, cert.Issuer, cert.NotAfter)
			}
		}
		w.Logf("%s: %v", name, secret.Annotations)
	}
}
