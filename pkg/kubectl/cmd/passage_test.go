// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
	"ksit.io/ksit/pkg/kubectl/passage"
)

const proxyPath = "/apis/ksit.io/v1alpha1/namespaces/team-a/integrationtargets/eu/proxy"

func passageHost(t *testing.T) *hosttest.Host {
	host := hosttest.New(t)
	host.Put(t, &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "eu"}})
	host.On("GET integrationtargets/proxy/api/v1/namespaces", func(w http.ResponseWriter, r *http.Request, _, _ string) {
		hosttest.JSON(w, 200, map[string]string{"path": r.URL.RequestURI(), "user": r.Header.Get("Impersonate-User")})
	})
	return host
}

func TestKubeconfig(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	host := passageHost(t)
	c := newClient(t, host)
	program := filepath.Join("bin", "credentials")
	c.kubeconfig = host.Kubeconfig(t, func(config *clientcmdapi.Config) {
		config.AuthInfos["cloud"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{Command: program, APIVersion: "client.authentication.k8s.io/v1"}}
		config.AuthInfos["files"] = &clientcmdapi.AuthInfo{ClientCertificate: "me.crt", ClientKey: "me.key"}
	})
	r := c.run("kubeconfig", "eu")
	r.expect(t, 0)
	path := strings.TrimSpace(r.out)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %s", info.Mode())
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if want := host.URL + proxyPath; config.Host != want || config.BearerToken != hosttest.Token || len(config.CAData) == 0 {
		t.Errorf("the server is %s, want %s", config.Host, want)
	}
	if again := strings.TrimSpace(c.run("kubeconfig", "eu").out); again != path {
		t.Errorf("asked again, it is another file: %s", again)
	}

	// Programs and files stay what they are, and are found from anywhere.
	written := filepath.Join(t.TempDir(), "out")
	for user, want := range map[string]string{"cloud": "command: " + filepath.Join(filepath.Dir(c.kubeconfig), program), "files": "client-key: " + filepath.Join(filepath.Dir(c.kubeconfig), "me.key")} {
		s := c.session(io.Discard, io.Discard)
		*s.flags.KubeConfig, *s.flags.AuthInfoName = c.kubeconfig, user
		config, err := passage.Kubeconfig(s.flags, "team-a", "eu")
		if err != nil {
			t.Fatal(err)
		}
		data, err := clientcmd.Write(*config)
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("user %s: there is no %q in (%v)\n%s", user, want, err, data)
		}
	}
	r = c.run("kubeconfig", "eu", "--as", "bob", "--as-group", "dev", "-o", written)
	r.expect(t, 0, written)
	raw, err := clientcmd.LoadFromFile(written)
	if err != nil {
		t.Fatal(err)
	}
	if user := raw.AuthInfos["team-a/eu"]; user.Impersonate != "bob" || len(user.ImpersonateGroups) != 1 {
		t.Errorf("the user is %+v", user)
	}
	r = c.run("kubeconfig", "eu", "-o", "-")
	r.expect(t, 0, proxyPath)
	c.run("kubeconfig", "none").expect(t, 1, `"none" not found`)
	c.run("kubeconfig", "eu", "--context", "none").expect(t, 1, "none")
}

func TestProxy(t *testing.T) {
	host := passageHost(t)
	c := newClient(t, host)
	f := c.follow("proxy", "eu", "--port", "0", "--as", "bob")
	f.until(t, "http://127.0.0.1:")
	address := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(f.String())[1]
	get := func(change func(*http.Request)) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/v1/namespaces?limit=5", nil)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(request)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if code, body := get(nil); code != 200 || !strings.Contains(body, proxyPath+"/api/v1/namespaces?limit=5") || !strings.Contains(body, `"user":"bob"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(func(r *http.Request) { r.Header.Set("Origin", "http://"+address) }); code != 200 {
		t.Errorf("a page of its own is turned away: %d", code)
	}
	for name, change := range map[string]func(*http.Request){
		"another name":   func(r *http.Request) { r.Host = "evil.example.com" },
		"another origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.com") },
		"no origin":      func(r *http.Request) { r.Header.Set("Origin", "null") },
		"another site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"exec":           func(r *http.Request) { r.URL.Path = "/api/v1/namespaces/a/pods/b/exec" },
	} {
		if code, _ := get(change); code != http.StatusForbidden {
			t.Errorf("%s: %d", name, code)
		}
	}
	f.stop(t, 0)
}
