// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

func TestVersionIn(t *testing.T) {
	for in, want := range map[string]string{
		"https://github.com/fluxcd/flux2/releases/download/v2.2.3/install.yaml":      "v2.2.3",
		"https://raw.githubusercontent.com/argoproj/argo-cd/v2.9.3/manifests/x.yaml": "v2.9.3",
		"https://a/1.20/v1.20.2-rc.1+x/install.yaml":                                 "v1.20.2-rc.1+x",
		"https://a/latest/install.yaml":                                              "",
		"https://a/v1/install.yaml":                                                  "",
		"https://a/x?version=v1.2.3":                                                 "",
		"https://10.0.0.1/install.yaml":                                              "",
		"://":                                                                        "",
		"https://a/" + "v1.2.3-" + strings.Repeat("x", 100) + "/install.yaml":        "",
		"https://a/v1.2.3-%24%7Bsecret%7D/install.yaml":                              "",
	} {
		if got := versionIn(in); got != want {
			t.Errorf("versionIn(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1.2.3/ok":
			_, _ = io.WriteString(w, "content")
		case "/large":
			_, _ = w.Write(make([]byte, maxBytes+1))
		case "/private/v1.2.3":
			if _, password, _ := r.BasicAuth(); password != "right" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = w.Write([]byte("private"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	noProxy := func(*http.Request) (*url.URL, error) { return nil, nil }
	open, err := fetch.NewClient(fetch.Options{AllowLocal: true, Proxy: noProxy})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := fetch.NewClient(fetch.Options{Proxy: noProxy})
	if err != nil {
		t.Fatal(err)
	}
	list, err := fetch.ParseAllowedSources([]string{"https://github.com/fluxcd"})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := fetch.NewClient(fetch.Options{AllowLocal: true, Proxy: noProxy, Allowed: list})
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256Digest([]byte("content"))
	for name, test := range map[string]struct {
		config   *v1alpha1.ManifestConfig
		access   *fetch.Access
		handed   string
		client   *fetch.Client
		want     content
		reason   installer.Reason
		terminal bool
	}{
		"inline": {
			config: &v1alpha1.ManifestConfig{Manifests: "x"},
			want:   content{data: []byte("x"), source: "inline"},
		},
		"ConfigMap": {
			config: &v1alpha1.ManifestConfig{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "m"}}, handed: "y",
			want: content{data: []byte("y"), source: "configmap/m"},
		},
		"ConfigMap too large": {
			config: &v1alpha1.ManifestConfig{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "m"}}, handed: strings.Repeat("y", maxBytes+1),
			reason: installer.ReasonTooLarge, terminal: true,
		},
		"URL": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/v1.2.3/ok?token=secret"},
			want:   content{data: []byte("content"), source: server.URL + "/v1.2.3/ok", version: "v1.2.3"},
		},
		"URL with digest": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/v1.2.3/ok", Digest: digest},
			want:   content{data: []byte("content"), source: server.URL + "/v1.2.3/ok", version: "v1.2.3"},
		},
		"URL with other digest": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/v1.2.3/ok", Digest: sha256Digest(nil)},
			reason: installer.ReasonDigestMismatch, terminal: true,
		},
		"URL that is not there": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/missing"},
			reason: installer.ReasonManifestUnavailable,
		},
		"URL behind a password": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/private/v1.2.3"}, access: &fetch.Access{Username: "me", Password: "right"},
			want: content{data: []byte("private"), source: server.URL + "/private/v1.2.3", version: "v1.2.3"},
		},
		"URL behind another password": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/private/v1.2.3"}, access: &fetch.Access{Username: "me", Password: "wrong"},
			reason: installer.ReasonManifestUnavailable,
		},
		"URL behind a password that was not given": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/private/v1.2.3"},
			reason: installer.ReasonManifestUnavailable,
		},
		"URL with a CA that is none": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/v1.2.3/ok"}, access: &fetch.Access{CA: []byte("x")},
			reason: installer.ReasonManifestUnavailable, terminal: true,
		},
		"URL that is refused": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/v1.2.3/ok"}, client: closed,
			reason: installer.ReasonManifestUnavailable, terminal: true,
		},
		"URL that is not allowed": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/v1.2.3/ok"}, client: listed,
			reason: installer.ReasonSourceRefused, terminal: true,
		},
		"URL with too much": {
			config: &v1alpha1.ManifestConfig{URL: server.URL + "/large"},
			reason: installer.ReasonTooLarge, terminal: true,
		},
		"nothing": {reason: installer.ReasonManifestInvalid, terminal: true},
	} {
		t.Run(name, func(t *testing.T) {
			client := test.client
			if client == nil {
				client = open
			}
			got, err := New(Options{Fetch: client}).load(context.Background(), installer.Request{
				Type:        v1alpha1.IntegrationTypeGeneric,
				AutoInstall: &v1alpha1.AutoInstall{ManifestConfig: test.config},
				Sources:     installer.Sources{Manifests: []byte(test.handed), Access: test.access},
			})
			if test.reason != "" {
				if installer.ReasonOf(err) != test.reason || installer.IsTerminal(err) != test.terminal {
					t.Fatalf("error %v with reason %s, terminal %v", err, installer.ReasonOf(err), installer.IsTerminal(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, *got, cmp.AllowUnexported(content{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	ref := func(group, kind string) object.ObjMetadata {
		return object.ObjMetadata{GroupKind: schema.GroupKind{Group: group, Kind: kind}, Name: "x"}
	}
	want := object.ObjMetadataSet{
		ref("", "Namespace"),
		ref("apiextensions.k8s.io", "CustomResourceDefinition"),
		ref("", "ConfigMap"), ref("", "Service"), ref("", "ServiceAccount"),
		ref("rbac.authorization.k8s.io", "ClusterRole"),
		ref("storage.k8s.io", "StorageClass"),
		ref("", "Pod"), ref("apps", "Deployment"), ref("batch", "Job"), ref("networking.k8s.io", "Ingress"),
		ref("argoproj.io", "Application"), ref("monitoring.coreos.com", "Prometheus"),
		ref("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareRefs)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInventoryEncoding(t *testing.T) {
	var entries []entry
	for i := range maxObjects {
		entries = append(entries, entry{Group: "apps", Kind: "Deployment", Namespace: "namespace", Name: fmt.Sprintf("deployment-%d", i), Adopted: i%2 == 0})
	}
	packed, err := encodeEntries(entries)
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) > maxInventoryBytes/4 {
		t.Errorf("%d objects take %d bytes", len(entries), len(packed))
	}
	cm := &corev1.ConfigMap{
		Data:       map[string]string{"source": "s", "version": "v", "digest": "d", "applying": "a", "good": "g", "revision": "7"},
		BinaryData: map[string][]byte{objectsKey: packed},
	}
	got, err := decodeInventory(cm)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&inventory{Source: "s", Version: "v", Digest: "d", Applying: "a", Good: "g", Revision: 7, Objects: entries}, got); diff != "" {
		t.Error(diff)
	}
	damage := map[string]func(*corev1.ConfigMap){
		"no revision": func(cm *corev1.ConfigMap) { delete(cm.Data, "revision") },
		"no objects":  func(cm *corev1.ConfigMap) { cm.BinaryData = nil },
		"cut":         func(cm *corev1.ConfigMap) { cm.BinaryData[objectsKey] = packed[:len(packed)/2] },
		"no JSON": func(cm *corev1.ConfigMap) {
			cm.BinaryData[objectsKey], _ = encodeEntries(nil)
			cm.BinaryData[objectsKey][12] ^= 0xff
		},
		"no name": func(cm *corev1.ConfigMap) { cm.BinaryData[objectsKey], _ = encodeEntries([]entry{{Kind: "x"}}) },
	}
	for name, do := range damage {
		damaged := cm.DeepCopy()
		do(damaged)
		if _, err := decodeInventory(damaged); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAdopted(t *testing.T) {
	ns, old, own := entry{Kind: "Namespace", Name: "n"}, entry{Kind: "ConfigMap", Name: "a", Adopted: true}, entry{Kind: "ConfigMap", Name: "b"}
	for _, test := range []struct {
		objects []entry
		want    bool
	}{
		{nil, false}, {[]entry{ns}, false}, {[]entry{ns, own}, false}, {[]entry{ns, old, own}, false}, {[]entry{ns, old}, true},
	} {
		if got := (&inventory{Objects: test.objects}).adopted(); got != test.want {
			t.Errorf("%v: %v", test.objects, got)
		}
	}
}

// TestPlain makes sure that no value of a field gets into an error.
func TestPlain(t *testing.T) {
	const value = "topsecret: \"and\" {more}"
	path := field.NewPath("spec", "x")
	list := field.ErrorList{
		field.Invalid(path, value, "must be something else"),
		field.NotSupported(path, value, []string{"a", "b"}),
		field.Duplicate(path, value),
		field.Invalid(path, map[string]string{"k": value}, "must be short"),
		field.Required(path.Child("y"), "is needed"),
	}
	gk := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	for _, kind := range []schema.GroupKind{gk, secretKind} {
		ref := object.ObjMetadata{GroupKind: kind, Namespace: "n", Name: "x"}
		for name, err := range map[string]error{
			"invalid":     apierrors.NewInvalid(kind, "x", list),
			"bad request": apierrors.NewBadRequest("failed to create typed patch object (n/x; apps/v1, Kind=Deployment): .spec.x: expected string, got &value.valueUnstructured{Value:map[string]interface {}{\"topsecret\":1}}\n.spec.y: field not declared in schema"),
		} {
			got := plain(ref, err)
			if strings.Contains(got.Error(), "topsecret") {
				t.Errorf("%s of %s: %v", name, kind, got)
			}
			if name == "bad request" && got.Error() != "does not fit the schema of its kind: .spec.x: expected string; .spec.y: field not declared in schema" {
				t.Errorf("%s of %s: %v", name, kind, got)
			}
			if !malformed(got) {
				t.Errorf("%s of %s: lost its kind", name, kind)
			}
			t.Log(got)
		}
	}
	webhook := plain(object.ObjMetadata{GroupKind: secretKind, Name: "x"},
		apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", fmt.Errorf("admission webhook denied: topsecret")))
	if strings.Contains(webhook.Error(), "topsecret") || !apierrors.IsForbidden(webhook) {
		t.Errorf("a denied Secret: %v", webhook)
	}
	many := apierrors.NewInvalid(gk, "x", nil)
	for range 50 {
		many.ErrStatus.Details.Causes = append(many.ErrStatus.Details.Causes, metav1.StatusCause{Field: "f", Message: strings.Repeat("x", 10_000)})
	}
	if got := plain(object.ObjMetadata{GroupKind: gk}, many); len(got.Error()) > 4000 {
		t.Errorf("%d bytes of error", len(got.Error()))
	}
}
