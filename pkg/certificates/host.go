// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	// APIServiceName is the registration of KSIT with the host.
	APIServiceName = "v1alpha1.ksit.io"
	// fieldManager is whom the host names as the writer.
	fieldManager = "ksit-certificates"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// host reads and writes what is kept on the host cluster. Each object is asked
// for by name, and written only as it was read.
type host struct {
	client  kubernetes.Interface
	dynamic dynamic.Interface
	options Options
}

// found is what was read.
type found struct {
	authority, serving *corev1.Secret
	// apiService is nil when there is none, or it is not for the Keeper to touch;
	// aside says why.
	apiService *unstructured.Unstructured
	aside      string
}

func (h *host) read(ctx context.Context) (*found, error) {
	var f found
	var err error
	if f.authority, err = h.secret(ctx, h.options.Authority); err != nil {
		return nil, err
	}
	if f.serving, err = h.secret(ctx, h.options.Serving); err != nil {
		return nil, err
	}
	apiService, err := h.dynamic.Resource(apiServices).Get(ctx, APIServiceName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		f.aside = "it does not exist"
	case err != nil:
		return nil, fmt.Errorf("reading the APIService %s: %w", APIServiceName, err)
	default:
		if f.aside = notForUs(apiService, h.options.Names); f.aside == "" {
			f.apiService = apiService
		}
	}
	return &f, nil
}

func (h *host) secret(ctx context.Context, name types.NamespacedName) (*corev1.Secret, error) {
	secret, err := h.client.CoreV1().Secrets(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("the Secret %s does not exist; make an empty one, which is filled in: %w", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Secret %s: %w", name, err)
	}
	return secret, nil
}

// notForUs says why the bundle of an APIService is none of this KSIT's business.
func notForUs(apiService *unstructured.Unstructured, names []string) string {
	service, found, _ := unstructured.NestedMap(apiService.Object, "spec", "service")
	if !found {
		return "it leads to no Service"
	}
	host := fmt.Sprintf("%v.%v.svc", service["name"], service["namespace"])
	if !slices.Contains(names, host) {
		return "it leads to " + host + ", for which no certificate is made"
	}
	if insecure, _, _ := unstructured.NestedBool(apiService.Object, "spec", "insecureSkipTLSVerify"); insecure {
		return "it has insecureSkipTLSVerify"
	}
	return ""
}

func (f *found) observed() observed {
	o := observed{
		authority:  content{data: f.authority.Data, annotations: f.authority.Annotations},
		serving:    content{data: f.serving.Data, annotations: f.serving.Annotations},
		registered: f.apiService != nil,
	}
	if f.apiService != nil {
		encoded, _, _ := unstructured.NestedString(f.apiService.Object, "spec", "caBundle")
		// What is no base64 cannot be there, and would be replaced.
		o.bundle, _ = base64.StdEncoding.DecodeString(encoded)
	}
	return o
}

// write writes a change of what was found. It fails with a conflict where
// somebody else wrote in the meantime.
func (h *host) write(ctx context.Context, f *found, c change) error {
	if c.bundle != nil {
		if err := h.publish(ctx, f.apiService, c.bundle); err != nil {
			return err
		}
	}
	if c.authority != nil {
		if err := h.update(ctx, f.authority, *c.authority); err != nil {
			return err
		}
	}
	if c.serving != nil {
		return h.update(ctx, f.serving, *c.serving)
	}
	return nil
}

func (h *host) update(ctx context.Context, secret *corev1.Secret, c content) error {
	secret = secret.DeepCopy()
	secret.Data, secret.Annotations = c.data, c.annotations
	_, err := h.client.CoreV1().Secrets(secret.Namespace).Update(ctx, secret, metav1.UpdateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("writing the Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}

func (h *host) publish(ctx context.Context, apiService *unstructured.Unstructured, bundle []byte) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": apiService.GetResourceVersion()},
		"spec":     map[string]any{"caBundle": bundle},
	})
	if err != nil {
		return fmt.Errorf("encoding the bundle of the APIService %s: %w", APIServiceName, err)
	}
	_, err = h.dynamic.Resource(apiServices).Patch(ctx, APIServiceName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("writing the bundle of the APIService %s: %w", APIServiceName, err)
	}
	return nil
}

// informers watch what is read, each by its name.
func (h *host) informers() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{
		newSecretInformer(h.client, h.options.Authority),
		newSecretInformer(h.client, h.options.Serving),
		dynamicinformer.NewFilteredDynamicInformer(h.dynamic, apiServices, metav1.NamespaceAll, 0, cache.Indexers{}, only(APIServiceName)).Informer(),
	}
}

func newSecretInformer(client kubernetes.Interface, secret types.NamespacedName) cache.SharedIndexInformer {
	return coreinformers.NewFilteredSecretInformer(client, secret.Namespace, 0, cache.Indexers{}, only(secret.Name))
}

func only(name string) func(*metav1.ListOptions) {
	return func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
}
