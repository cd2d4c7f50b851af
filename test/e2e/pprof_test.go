// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"ksit.io/ksit/test/bed"
)

// TestProfilesAreGuarded asks both endpoints that have profiles for one: as nobody,
// as somebody without rights, and as one whom a ClusterRole lets.
func TestProfilesAreGuarded(t *testing.T) {
	ns := namespace(t)
	role := ns + "-profiles"
	kubectl(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules: [{nonResourceURLs: [/debug/pprof, /debug/pprof/*], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{kind: ServiceAccount, name: profiler, namespace: %[2]s}]
`, role, ns), "apply", "-f", "-")
	t.Cleanup(func() {
		_, err := tryKubectl(s.ctx, s.bed.Host.Kubeconfig, "", "delete", "clusterrole/"+role, "clusterrolebinding/"+role)
		must(t, err)
	})
	tokens := map[string]string{"anonymous": ""}
	for _, account := range []string{"stranger", "profiler"} {
		kubectl(t, "", "create", "serviceaccount", account, "-n", ns)
		tokens[account] = strings.TrimSpace(kubectl(t, "", "create", "token", account, "-n", ns))
	}
	for name, url := range map[string]string{"server": s.run.URL, "controller-manager": startIdleManager(t)} {
		t.Run(name, func(t *testing.T) {
			if !poll(t.Context(), eventually, func(ctx context.Context) bool {
				status, _ := getAs(ctx, url+"/readyz", "")
				return status == http.StatusOK
			}) {
				t.Fatal("it does not serve")
			}
			for _, who := range []string{"anonymous", "stranger"} {
				for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/metrics"} {
					if status, _ := getAs(t.Context(), url+path, tokens[who]); status != http.StatusForbidden {
						t.Errorf("%s gets %d for %s", who, status, path)
					}
				}
			}
			var status int
			var body []byte
			// A right that was just given may take a moment.
			if !poll(t.Context(), eventually, func(ctx context.Context) bool {
				status, body = getAs(ctx, url+"/debug/pprof/heap", tokens["profiler"])
				return status == http.StatusOK
			}) || !strings.HasPrefix(string(body), "\x1f\x8b") {
				t.Errorf("the profiler gets %d, %d bytes", status, len(body))
			}
			if status, _ := getAs(t.Context(), url+"/metrics", tokens["profiler"]); status != http.StatusForbidden {
				t.Errorf("the profiler gets %d for /metrics", status)
			}
		})
	}
}

// startIdleManager runs a controller manager that never leads, as its account, that of
// the server, has no rights on Leases there, and returns where it serves diagnostics.
func startIdleManager(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	manager := s.bed.NewProcess(bed.ProcessSpec{Name: "idle-manager", Path: os.Getenv("KSIT"), Dir: t.TempDir(), Args: []string{
		"controller-manager", "--kubeconfig=" + s.run.Kubeconfig, "--metrics-bind-address=" + address,
		"--leader-elect-namespace=default", "--cache-dir=" + t.TempDir(),
	}})
	must(t, manager.Start())
	t.Cleanup(manager.Kill)
	return "https://" + address
}

func getAs(ctx context.Context, url, token string) (status int, body []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// Each serves with a certificate of its own making.
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	body, _ = io.ReadAll(response.Body)
	return response.StatusCode, body
}
