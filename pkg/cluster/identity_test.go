// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func tenancy(entries ...v1alpha1.TenantIdentity) *v1alpha1.IntegrationTarget {
	return &v1alpha1.IntegrationTarget{Spec: v1alpha1.IntegrationTargetSpec{Tenancy: &v1alpha1.TargetTenancy{Impersonate: entries}}}
}

func TestIdentityFor(t *testing.T) {
	forAll := v1alpha1.TenantIdentity{Namespace: "*", ServiceAccount: "tenants/{namespace}"}
	own := v1alpha1.TenantIdentity{Namespace: "team-a", User: "ksit:{namespace}", Groups: []string{"tenants", "of-{namespace}"}}
	asOwn := Identity{User: "ksit:team-a", Groups: []string{"tenants", "of-team-a"}}
	for name, test := range map[string]struct {
		target *v1alpha1.IntegrationTarget
		want   Identity
		tenant bool
	}{
		"no tenancy":          {target: &v1alpha1.IntegrationTarget{}},
		"no entry":            {target: tenancy()},
		"one for another":     {target: tenancy(v1alpha1.TenantIdentity{Namespace: "team-b", User: "b"})},
		"one for all":         {tenancy(forAll), Identity{User: "system:serviceaccount:tenants:team-a"}, true},
		"its own":             {tenancy(own), asOwn, true},
		"its own before all":  {tenancy(forAll, own), asOwn, true},
		"its own, all behind": {tenancy(own, forAll), asOwn, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, tenant := IdentityFor(test.target, "team-a")
			if diff := cmp.Diff(test.want, got); diff != "" || tenant != test.tenant {
				t.Errorf("tenant %v (-want +got)\n%s", tenant, diff)
			}
		})
	}
}

// TestEveryRequestIsTheTenants looks at the requests of every client.
func TestEveryRequestIsTheTenants(t *testing.T) {
	var mu sync.Mutex
	var seen []http.Header
	s, d := server(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header)
		w.WriteHeader(http.StatusTeapot)
	})
	set := NewSet(Options{})
	defer set.Close()
	base := connect(t, set, d.bytes(t))
	tenant, err := base.As(Identity{User: "ksit:team-a", Groups: []string{"one", "two"}})
	if err != nil {
		t.Fatal(err)
	}
	pods := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	ctx := t.Context()
	for name, ask := range map[string]func(*Connection) error{
		"typed": func(c *Connection) error {
			_, err := c.Kubernetes().CoreV1().Pods("a").Get(ctx, "b", metav1.GetOptions{})
			return err
		},
		"dynamic": func(c *Connection) error {
			_, err := c.Dynamic().Resource(pods).Namespace("a").Get(ctx, "b", metav1.GetOptions{})
			return err
		},
		"metadata": func(c *Connection) error {
			_, err := c.Metadata().Resource(pods).Namespace("a").Get(ctx, "b", metav1.GetOptions{})
			return err
		},
		"raw": func(c *Connection) error {
			return c.Kubernetes().Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
		},
		"a library's, that says it is somebody else": func(c *Connection) error {
			config, err := c.RESTClientGetter("a").ToRESTConfig()
			if err != nil {
				return err
			}
			client, err := rest.HTTPClientFor(config)
			if err != nil {
				return err
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
			if err != nil {
				return err
			}
			request.Header.Set("Impersonate-User", "admin")
			request.Header.Set("Impersonate-Group", "system:masters")
			request.Header.Set("Impersonate-Extra-Scopes", "all")
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			_ = response.Body.Close()
			return errors.New("answered")
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen = nil
			if err := ask(tenant); err == nil {
				t.Error("no error")
			}
			if len(seen) != 1 {
				t.Fatalf("%d requests", len(seen))
			}
			got := http.Header{}
			for name, values := range seen[0] {
				if strings.HasPrefix(name, "Impersonate-") {
					got[name] = values
				}
			}
			if diff := cmp.Diff(http.Header{"Impersonate-User": {"ksit:team-a"}, "Impersonate-Group": {"one", "two"}}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	seen = nil
	_, _ = base.Kubernetes().CoreV1().Pods("a").Get(ctx, "b", metav1.GetOptions{})
	if len(seen) != 1 || seen[0].Get("Impersonate-User") != "" {
		t.Errorf("the base does not act as itself: %v", seen)
	}
}

func TestConnectionsOfTenants(t *testing.T) {
	set := NewSet(Options{})
	defer set.Close()
	base := connect(t, set, valid().bytes(t))
	as := func(c *Connection, user string, groups ...string) *Connection {
		tenant, err := c.As(Identity{User: user, Groups: groups})
		if err != nil {
			t.Fatal(err)
		}
		return tenant
	}
	a := as(base, "a")
	if as(base, "a") != a || as(a, "a") != a {
		t.Error("a second connection for the same tenant")
	}
	if as(base, "b") == a || as(base, "a", "g") == a || a == base {
		t.Error("one connection for different tenants")
	}
	if as(a, "b") != as(base, "b") || a.Base() != base || base.Base() != base {
		t.Error("a tenant's connection is not beside the others")
	}
	if a.RESTConfig().RateLimiter != base.RESTConfig().RateLimiter || a.RESTMapper() != base.RESTMapper() || a.Name() != base.Name() {
		t.Error("what is shared is not")
	}
	for name, target := range map[string]*v1alpha1.IntegrationTarget{"a": tenancy(v1alpha1.TenantIdentity{Namespace: "*", User: "a"}), "": {}} {
		if got, err := base.For(target, "ns"); err != nil || (got == a) != (name == "a") || (got == base) != (name == "") {
			t.Errorf("%q: %v %v", name, got, err)
		}
	}
	set.Close()
	mustBeClosed(t, a)
}
