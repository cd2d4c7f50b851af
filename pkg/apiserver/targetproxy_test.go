// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/spec3"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/live"
	"ksit.io/ksit/pkg/targetproxy"
	"ksit.io/ksit/test/env"
)

// users are who may call in these tests, by token. Those of the group proxy may
// use the subresource.
var users = map[string]*user.DefaultInfo{
	"jane": {Name: "jane", UID: "42", Groups: []string{"dev", "proxy", "system:masters-of-nothing", "system:authenticated"},
		Extra: map[string][]string{"example.com/team": {"red"}, "authentication.kubernetes.io/credential-id": {"X509SHA256=1"}}},
	"joe":    {Name: "joe", Groups: []string{"dev"}},
	"root":   {Name: "admin", Groups: []string{"system:masters", "proxy"}},
	"system": {Name: "system:kube-controller-manager", Groups: []string{"proxy"}},
	"robot":  {Name: "system:serviceaccount:kube-system:robot", Groups: []string{"proxy", "system:serviceaccounts"}},
}

// proxied is a KSIT in this process with a real API server as a target.
type proxied struct {
	*fixture
	target *env.Cluster
	proxy  *targetproxy.Proxy
	verbs  chan string
}

type secrets map[types.NamespacedName]*corev1.Secret

func (s secrets) Get(_ context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	if secret := s[key]; secret != nil {
		return secret, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
}

func startProxied(t *testing.T) *proxied {
	t.Helper()
	p := &proxied{target: env.Start(t, env.Options{}), verbs: make(chan string, 1000)}
	set := cluster.NewSet(cluster.Options{})
	t.Cleanup(set.Close)
	p.fixture = startWith(t, func(config *apiserver.Config) {
		generic := &config.Generic.Config
		generic.Authentication.Authenticator = bearertoken.New(authenticator.TokenFunc(func(_ context.Context, token string) (*authenticator.Response, bool, error) {
			u := users[token]
			return &authenticator.Response{User: u}, u != nil, nil
		}))
		generic.Authorization.Authorizer = authorizer.AuthorizerFunc(p.authorize)
		client, err := versioned.NewForConfig(generic.LoopbackClientConfig)
		if err != nil {
			t.Fatal(err)
		}
		p.proxy = targetproxy.New(&live.Targets{Client: client.KsitV1alpha1(), Connections: set, Secrets: secrets{
			{Namespace: "team", Name: "all"}:     {Data: map[string][]byte{"kubeconfig": p.target.Kubeconfig}},
			{Namespace: "team", Name: "limited"}: {Data: map[string][]byte{"kubeconfig": p.tokenKubeconfig(t, "limited")}},
		}}, targetproxy.Options{})
		config.TargetProxy = p.proxy
	})
	for name, secret := range map[string]string{"one": "all", "limited": "limited", "missing": "missing"} {
		p.createTarget(t, name, secret, false)
	}
	p.createTarget(t, "suspended", "all", true)
	return p
}

// authorize lets the group proxy use the subresource, and says by which verb.
func (p *proxied) authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetResource() != "integrationtargets" || a.GetSubresource() != "proxy" {
		return authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup).Authorize(ctx, a)
	}
	for _, group := range a.GetUser().GetGroups() {
		if group == "proxy" {
			p.verbs <- a.GetVerb()
			return authorizer.DecisionAllow, "", nil
		}
	}
	return authorizer.DecisionDeny, "not of the group proxy", nil
}

func (p *proxied) createTarget(t *testing.T, name, secret string, suspend bool) {
	t.Helper()
	_, err := p.ksit.KsitV1alpha1().IntegrationTargets("team").Create(t.Context(), &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       v1alpha1.IntegrationTargetSpec{KubeconfigSecret: secret, Suspend: suspend},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// tokenKubeconfig returns a kubeconfig of a service account on the target that
// may impersonate the user jane, and nothing and nobody else.
func (p *proxied) tokenKubeconfig(t *testing.T, name string) []byte {
	t.Helper()
	ctx, client := t.Context(), p.target.Client
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().ServiceAccounts("kube-system").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := client.CoreV1().ServiceAccounts("kube-system").CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.grant(t, name, rbacv1.Subject{Kind: "ServiceAccount", Namespace: "kube-system", Name: name},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}, ResourceNames: []string{"jane"}})
	return fmt.Appendf(nil, `{"kind":"Config","apiVersion":"v1","current-context":"x","contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],
"clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority-data":%q}}],"users":[{"name":"u","user":{"token":%q}}]}`,
		p.target.Config.Host, base64.StdEncoding.EncodeToString(p.target.Config.CAData), token.Status.Token)
}

func (p *proxied) grant(t *testing.T, name string, to rbacv1.Subject, rules ...rbacv1.PolicyRule) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	if _, err := p.target.Client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if to.Kind == "User" || to.Kind == "Group" {
		to.APIGroup = rbacv1.GroupName
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: []rbacv1.Subject{to},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	}
	if _, err := p.target.Client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// as returns a client of a target's API by way of KSIT.
func (p *proxied) as(t *testing.T, token, target string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.configAs(token, target))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (p *proxied) configAs(token, target string) *rest.Config {
	return &rest.Config{
		Host:            p.client.Host + "/apis/ksit.io/v1alpha1/namespaces/team/integrationtargets/" + target + "/proxy",
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: p.client.CAData, ServerName: p.client.ServerName},
		QPS:             -1,
	}
}

func TestTargetProxy(t *testing.T) {
	t.Parallel()
	p := startProxied(t)
	t.Run("discovery", p.testDiscovery)
	t.Run("identity", p.testIdentity)
	t.Run("verbs", p.testVerbs)
	t.Run("refusals", p.testRefusals)
	t.Run("impersonation that the target forbids", p.testLimited)
	t.Run("paths", p.testPaths)
	t.Run("stop with open watches", p.testStop)
}

// testDiscovery looks for the subresource in what KSIT says of itself.
func (p *proxied) testDiscovery(t *testing.T) {
	list, err := p.ksit.Discovery().ServerResourcesForGroupVersion("ksit.io/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool {
		return r.Name == "integrationtargets/proxy" && r.Namespaced && r.Kind == "IntegrationTargetProxyOptions"
	}) {
		t.Errorf("there is no integrationtargets/proxy among %v", list.APIResources)
	}
	response := p.raw(t, "/openapi/v3/apis/ksit.io/v1alpha1", http.Header{"Accept": {"application/json"}})
	defer response.Body.Close()
	document := decode[spec3.OpenAPI](t, response)
	checkReferences(t, document)
	path := document.Paths.Paths["/apis/ksit.io/v1alpha1/namespaces/{namespace}/integrationtargets/{name}/proxy/{path}"]
	if path == nil || path.Get == nil || path.Patch == nil || path.Options != nil {
		t.Errorf("OpenAPI has %+v for the subresource", path)
	}
}

func (p *proxied) testIdentity(t *testing.T) {
	review, err := p.as(t, "jane", "one").AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := authenticationv1.UserInfo{
		Username: "jane", UID: "42", Groups: []string{"dev", "proxy", "system:authenticated"},
		Extra: map[string]authenticationv1.ExtraValue{"example.com/team": {"red"}},
	}
	if diff := cmp.Diff(want, review.Status.UserInfo); diff != "" {
		t.Errorf("jane on the target (-want +got)\n%s", diff)
	}
	// An administrator of the host is a user like others on the target.
	review, err = p.as(t, "root", "one").AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"proxy", "system:authenticated"}, review.Status.UserInfo.Groups); diff != "" {
		t.Errorf("groups of the host's administrator (-want +got)\n%s", diff)
	}
	if _, err := p.as(t, "root", "one").CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the host's administrator has power on the target: %v", err)
	}
}

// testVerbs does what kubectl does, and has the target's RBAC decide.
func (p *proxied) testVerbs(t *testing.T) {
	ctx := t.Context()
	client := p.as(t, "jane", "one")
	maps := client.CoreV1().ConfigMaps("default")
	if _, err := maps.List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "jane" cannot list`) {
		t.Fatalf("without a right on the target: %v", err)
	}
	p.grant(t, "jane", rbacv1.Subject{Kind: "Group", Name: "dev"}, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}})
	p.eventually(t, "the right on the target", func() error {
		_, err := maps.List(ctx, metav1.ListOptions{})
		return err
	})
	for len(p.verbs) > 0 {
		<-p.verbs
	}
	verb := func(want string) {
		t.Helper()
		if got := <-p.verbs; got != want {
			t.Errorf("the host was asked for the verb %s, want %s", got, want)
		}
	}
	watcher, err := maps.Watch(ctx, metav1.ListOptions{LabelSelector: "a=b"})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	verb("get")
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"a": "b"}}}
	if _, err := maps.Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	verb("create")
	if _, err := maps.Get(ctx, "x", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run left: %v", err)
	}
	verb("get")
	if _, err := maps.Create(ctx, object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	verb("create")
	select {
	case event := <-watcher.ResultChan():
		if got, ok := event.Object.(*corev1.ConfigMap); !ok || got.Name != "x" {
			t.Errorf("the watch says %v", event)
		}
	case <-time.After(time.Minute):
		t.Error("the watch says nothing")
	}
	apply := corev1ac.ConfigMap("x", "default").WithData(map[string]string{"k": "v"})
	got, err := maps.Apply(ctx, apply, metav1.ApplyOptions{FieldManager: "test"})
	if err != nil || got.Data["k"] != "v" {
		t.Fatalf("apply: %v %v", got, err)
	}
	verb("patch")
	got.Data["k"] = "w"
	if _, err := maps.Update(ctx, got, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	verb("update")
	if err := maps.Delete(ctx, "x", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	verb("delete")
	if _, err := client.Discovery().ServerPreferredResources(); err != nil {
		t.Errorf("discovery: %v", err)
	}
	if document, err := client.Discovery().OpenAPISchema(); err != nil || document.GetDefinitions() == nil {
		t.Errorf("OpenAPI v2: %v", err)
	}
	if paths, err := client.Discovery().OpenAPIV3().Paths(); err != nil || paths["api/v1"] == nil {
		t.Errorf("OpenAPI v3: %v %v", paths, err)
	}
}

func (p *proxied) testRefusals(t *testing.T) {
	for _, test := range []struct {
		token, target string
		code          int
		want          string
	}{
		{"joe", "one", 403, "not of the group proxy"},
		{"nobody", "one", 401, ""},
		{"system", "one", 403, "begin with system:"},
		{"robot", "one", 403, "service accounts of the host"},
		{"jane", "unknown", 404, `"unknown" not found`},
		{"jane", "suspended", 503, "spec.suspend is true"},
		{"jane", "missing", 503, "there is no Secret missing"},
	} {
		_, err := p.as(t, test.token, test.target).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		var code int32
		if status, ok := err.(apierrors.APIStatus); ok { //nolint:errorlint // client-go returns it bare
			code = status.Status().Code
		}
		if int(code) != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s on %s: %d %v", test.token, test.target, code, err)
		}
	}
}

// testLimited has KSIT's account on the target lack rights to impersonate.
func (p *proxied) testLimited(t *testing.T) {
	lacks := func(token, what string) {
		t.Helper()
		_, err := p.as(t, token, "limited").CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "may not act as you") || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v, want something about %s", token, err, what)
		}
	}
	lacks("root", `the verb impersonate on users "admin"; groups "proxy"`)
	lacks("jane", `the verb impersonate on users "jane"; groups "dev", "proxy"; uids.authentication.k8s.io "42"; userextras/example.com/team.authentication.k8s.io "red"`)
	account := rbacv1.Subject{Kind: "ServiceAccount", Namespace: "kube-system", Name: "limited"}
	impersonate := func(group, resource string, names ...string) {
		t.Helper()
		p.grant(t, "impersonate-"+strings.ReplaceAll(resource, "/", "-"), account, rbacv1.PolicyRule{
			APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"impersonate"}, ResourceNames: names,
		})
	}
	// With all but one of the rights nothing passes.
	impersonate("", "groups", "dev", "proxy")
	lacks("jane", "may not act as you")
	impersonate("authentication.k8s.io", "userextras/example.com/team", "red")
	lacks("jane", "may not act as you")
	impersonate("authentication.k8s.io", "uids", "42")
	p.eventually(t, "the refusal by the RBAC of the target", func() error {
		_, err := p.as(t, "jane", "limited").CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		if err == nil || !strings.Contains(err.Error(), `User "jane" cannot list`) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
}

func (p *proxied) testPaths(t *testing.T) {
	for _, path := range []string{"/../one/proxy/version", "/%2e%2e/version", "//version", "/api%2fv1", "/%252e%252e/version"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.client.Host, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Opaque = "//" + request.URL.Host + "/apis/ksit.io/v1alpha1/namespaces/team/integrationtargets/one/proxy" + path
		client, err := rest.HTTPClientFor(p.configAs("jane", "one"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	// The path cannot be given twice, and the parameter is the target's.
	data, err := p.as(t, "jane", "one").CoreV1().RESTClient().Get().AbsPath("/version").Param("path", "/api/v1/secrets").DoRaw(t.Context())
	if err != nil || !strings.Contains(string(data), "gitVersion") {
		t.Errorf("%s %v", data, err)
	}
}

func (p *proxied) testStop(t *testing.T) {
	for range 5 {
		watcher, err := p.as(t, "jane", "one").CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Stop()
	}
	begin := time.Now()
	p.stop()
	select {
	case <-p.stopped:
	case <-time.After(2 * time.Minute):
		t.Fatal("the server does not stop")
	}
	// Of the minute for which the server waits for requests that are not told to end.
	if took := time.Since(begin); took > 45*time.Second {
		t.Errorf("the stop took %v", took)
	}
}
