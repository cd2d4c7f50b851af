// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// fieldManager owns what Apply applies.
const fieldManager = "ksit-bed"

// RESTConfig returns an administrator's configuration without a client-side
// rate limit. It is the caller's to change.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Client returns an administrator's client.
func (c *Cluster) Client() (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(c.config)
}

func (c *Cluster) writeAdminKubeconfig() error {
	content, err := c.UserKubeconfig("admin", "system:masters")
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Kubeconfig, content, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", c.Name, err)
	}
	if c.config, err = clientcmd.RESTConfigFromKubeConfig(content); err != nil {
		return fmt.Errorf("reading the kubeconfig of %s: %w", c.Name, err)
	}
	c.config.QPS = -1
	c.config.Proxy = noProxy
	return nil
}

// UserKubeconfig returns a kubeconfig for a user of the given name and groups,
// who proves himself with a client certificate. All of its data is inline.
func (c *Cluster) UserKubeconfig(user string, groups ...string) ([]byte, error) {
	pair, err := c.clientCA.Client(user, groups...)
	if err != nil {
		return nil, err
	}
	return c.kubeconfigFor(user, &clientcmdapi.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key})
}

// TokenKubeconfig returns a kubeconfig that presents a bearer token.
func (c *Cluster) TokenKubeconfig(user, token string) ([]byte, error) {
	return c.kubeconfigFor(user, &clientcmdapi.AuthInfo{Token: token})
}

// ServiceAccountKubeconfig returns a kubeconfig for a service account, with a
// token of that account that is valid for a day. The account must exist.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) ([]byte, error) {
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	seconds := int64((24 * time.Hour).Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	response, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token for service account %s/%s on %s: %w", namespace, name, c.Name, err)
	}
	return c.TokenKubeconfig(name, response.Status.Token)
}

func (c *Cluster) kubeconfigFor(user string, auth *clientcmdapi.AuthInfo) ([]byte, error) {
	return c.kubeconfigAt(c.Server, user, auth)
}

func (c *Cluster) kubeconfigAt(server, user string, auth *clientcmdapi.AuthInfo) ([]byte, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters[c.Name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: c.clientCA.Cert}
	config.AuthInfos[user] = auth
	config.Contexts[c.Name] = &clientcmdapi.Context{Cluster: c.Name, AuthInfo: user}
	config.CurrentContext = c.Name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("writing a kubeconfig for %s on %s: %w", user, c.Name, err)
	}
	return content, nil
}

// ServingCert makes a serving certificate for the given DNS names and IP
// addresses, signed by the bed's own authority, and returns the paths of its
// files. The files are named for the first name.
func (b *Bed) ServingCert(names ...string) (*CertFiles, error) {
	pair, err := b.authority.Server(names...)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.Dir, "serving-certs")
	files := &CertFiles{
		Cert:  filepath.Join(dir, names[0]+".crt"),
		Key:   filepath.Join(dir, names[0]+".key"),
		CA:    filepath.Join(dir, "ca.crt"),
		CAPEM: b.authority.Cert,
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for path, content := range map[string][]byte{files.Cert: pair.Cert, files.Key: pair.Key, files.CA: files.CAPEM} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("writing a serving certificate: %w", err)
		}
	}
	return files, nil
}

// CertFiles are the files of a serving certificate.
type CertFiles struct {
	Cert, Key string
	// CA is the authority's file, CAPEM its content, as a caBundle wants it.
	CA    string
	CAPEM []byte
}

// Apply applies all objects of a stream of YAML documents, by server-side apply
// and in the order in which they come. An object of a kind that an earlier one
// defines waits until the kind is served.
func (c *Cluster) Apply(ctx context.Context, manifests []byte) error {
	objects, err := ParseObjects(manifests)
	if err != nil {
		return err
	}
	return c.ApplyObjects(ctx, objects...)
}

// ApplyObjects is Apply for objects that are already parsed.
func (c *Cluster) ApplyObjects(ctx context.Context, objects ...*unstructured.Unstructured) error {
	mapping, err := c.newMapper()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return err
	}
	for _, object := range objects {
		gvk := object.GroupVersionKind()
		m, err := mapping.find(ctx, gvk)
		if err != nil {
			return fmt.Errorf("applying %s %s on %s: %w", gvk.Kind, object.GetName(), c.Name, err)
		}
		var resource dynamic.ResourceInterface = client.Resource(m.Resource)
		if m.Scope.Name() == meta.RESTScopeNameNamespace {
			namespace := object.GetNamespace()
			if namespace == "" {
				namespace = metav1.NamespaceDefault
			}
			resource = client.Resource(m.Resource).Namespace(namespace)
		}
		_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
		if err != nil {
			return fmt.Errorf("applying %s %s on %s: %w", gvk.Kind, object.GetName(), c.Name, err)
		}
	}
	return nil
}

// ParseObjects reads a stream of YAML or JSON documents; empty ones are left out.
func ParseObjects(manifests []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading object %d of the manifests: %w", len(objects)+1, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// mapper finds the resource of a kind, asking the server again for one that it
// has not heard of.
type mapper struct {
	discovery discovery.DiscoveryInterface
	known     meta.RESTMapper
}

func (c *Cluster) newMapper() (*mapper, error) {
	client, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, err
	}
	m := &mapper{discovery: client}
	return m, m.refresh()
}

func (m *mapper) refresh() error {
	// A group whose server is away must not keep others from being used.
	groups, err := restmapper.GetAPIGroupResources(m.discovery)
	if len(groups) == 0 && err != nil {
		return fmt.Errorf("discovering what is served: %w", err)
	}
	m.known = restmapper.NewDiscoveryRESTMapper(groups)
	return nil
}

func (m *mapper) find(ctx context.Context, kind schema.GroupVersionKind) (*meta.RESTMapping, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var found *meta.RESTMapping
	err := poll(ctx, 200*time.Millisecond, func(context.Context) error {
		var err error
		if found, err = m.known.RESTMapping(kind.GroupKind(), kind.Version); err == nil {
			return nil
		}
		return errors.Join(err, m.refresh())
	})
	return found, err
}
