// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apiserver/pkg/authentication/user"
)

// What a caller says of himself in headers never arrives; what kubectl needs does.
func TestRequestHeaders(t *testing.T) {
	seen := make(chan http.Header, 1)
	f := start(t, "", Options{}, func(w http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })
	f.caller.Store(&user.DefaultInfo{Name: "jane", UID: "42", Groups: []string{"dev", "system:masters"}, Extra: map[string][]string{"team": {"red"}}})
	_, _ = f.do(t, http.MethodPatch, "/api", http.Header{
		"Impersonate-User":         {"root"},
		"Impersonate_user":         {"root"},
		"impersonate-group":        {"system:masters"},
		"Impersonate-Uid":          {"0"},
		"Impersonate-Extra-Scopes": {"all"},
		"Authorization":            {"Bearer callers-token"},
		"Cookie":                   {"a=b"},
		"X-Remote-User":            {"root"},
		"X_Remote_Group":           {"system:masters"},
		"Proxy-Authorization":      {"Basic eDp5"},
		"Forwarded":                {"for=1.2.3.4"},
		"X-Forwarded-For":          {"1.2.3.4"},
		"X-Forwarded-Uri":          {"/x"},
		"X_forwarded_host":         {"x"},
		"X-Real-Ip":                {"1.2.3.4"},
		"X-Original-Url":           {"/../x"},
		"X-Rewrite-Url":            {"/../x"},
		"Via":                      {"1.1 x"},
		"Te":                       {"trailers"},
		"Audit-Id":                 {"forged"},
		"Accept":                   {"application/json;as=Table;g=meta.k8s.io;v=v1"},
		"Content-Type":             {"application/apply-patch+yaml"},
		"If-None-Match":            {`"x"`},
		"Kubectl-Command":          {"kubectl get"},
		"User-Agent":               {"kubectl/v1"},
		"Accept-Encoding":          {"identity"},
	}, strings.NewReader("{}"))
	want := http.Header{
		"Impersonate-User":       {"jane"},
		"Impersonate-Uid":        {"42"},
		"Impersonate-Group":      {"dev"},
		"Impersonate-Extra-Team": {"red"},
		"Authorization":          {"Bearer " + ksitToken},
		"X-Forwarded-For":        {"127.0.0.1"},
		"Audit-Id":               {"ours"},
		"Accept":                 {"application/json;as=Table;g=meta.k8s.io;v=v1"},
		"Content-Type":           {"application/apply-patch+yaml"},
		"If-None-Match":          {`"x"`},
		"Kubectl-Command":        {"kubectl get"},
		"User-Agent":             {"kubectl/v1"},
		"Accept-Encoding":        {"identity"},
		"Content-Length":         {"2"},
	}
	if diff := cmp.Diff(want, <-seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The target answers in the name of the host: nothing of it may act there.
func TestAnswerHeaders(t *testing.T) {
	f := start(t, "", Options{}, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Link", "</x>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		for _, name := range []string{
			"Set-Cookie", "Www-Authenticate", "Location", "Content-Location", "Refresh", "Alt-Svc", "Clear-Site-Data",
			"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Strict-Transport-Security", "Service-Worker-Allowed",
			"Proxy-Authenticate",
		} {
			h.Set(name, "x")
		}
		h.Set("Audit-Id", "theirs")
		h.Set("Cache-Control", "public, max-age=1000")
		h.Set("Content-Security-Policy", "script-src *")
		h.Set("Connection", "X-Content-Type-Options, Content-Security-Policy")
		h.Set("Content-Type", "text/html")
		h.Set("Warning", `299 - "kept"`)
		h.Set("Etag", `"kept"`)
		h.Set("Trailer", "Set-Cookie")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "<script>")
		h.Set("Set-Cookie", "x=y")
		h.Set(http.TrailerPrefix+"Set-Cookie2", "x=y")
	})
	response, body := f.get(t, "/api", nil)
	if body != "<script>" {
		t.Errorf("got %q", body)
	}
	response.Header.Del("Date")
	response.Header.Del("Content-Length")
	want := http.Header{
		"Audit-Id":                {"ours"},
		"Cache-Control":           {"no-cache, private"},
		"Content-Type":            {"text/html"},
		"Content-Security-Policy": {"script-src *", "sandbox"},
		"X-Content-Type-Options":  {"nosniff"},
		"Warning":                 {`299 - "kept"`},
		"Etag":                    {`"kept"`},
	}
	if diff := cmp.Diff(want, response.Header); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(response.Trailer) > 0 {
		t.Errorf("trailers: %v", response.Trailer)
	}
}

func TestRedirects(t *testing.T) {
	f := start(t, "", Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://elsewhere.example/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	response, body := f.get(t, "/api", nil)
	if response.StatusCode != http.StatusBadGateway || response.Header.Get("Location") != "" || strings.Contains(body, "elsewhere") {
		t.Errorf("%s %v %s", response.Status, response.Header, body)
	}
}

func TestRefusals(t *testing.T) {
	status := func(code int32, reason metav1.StatusReason, message string, details *metav1.StatusDetails) *metav1.Status {
		return &metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Code: code, Reason: reason, Message: message, Details: details,
		}
	}
	impersonation := status(403, metav1.StatusReasonForbidden,
		`users "jane" is forbidden: User "ksit-secret-name" cannot impersonate resource "users" in API group "" at the cluster scope`,
		&metav1.StatusDetails{Kind: "users", Name: "jane"})
	extra := status(403, metav1.StatusReasonForbidden, `userextras.authentication.k8s.io "red" is forbidden: User "ksit-secret-name" cannot impersonate resource "userextras/team"`,
		&metav1.StatusDetails{Group: "authentication.k8s.io", Kind: "userextras", Name: "red"})
	constrained := status(403, metav1.StatusReasonForbidden, `pods is forbidden: User "ksit-secret-name" cannot impersonate-on:user-info:list resource "pods" in API group "" at the cluster scope`, &metav1.StatusDetails{Kind: "pods"})
	onPath := status(403, metav1.StatusReasonForbidden, `forbidden: User "ksit-secret-name" cannot impersonate-on:user-info:get path "/version"`, nil)
	own := status(403, metav1.StatusReasonForbidden, `pods is forbidden: User "jane" cannot list resource "pods"`, &metav1.StatusDetails{Kind: "pods"})
	unauthorized := status(401, metav1.StatusReasonUnauthorized, "Unauthorized", nil)
	for name, test := range map[string]struct {
		answer *metav1.Status
		raw    string
		code   int
		want   []string
	}{
		"may not impersonate users":    {answer: impersonation, code: 403, want: []string{"team/one", `the verb impersonate on users \"jane\"; groups \"dev\"`, "Nothing was done", `refused impersonate on users \"jane\"`}},
		"may not impersonate extras":   {answer: extra, code: 403, want: []string{`refused impersonate on userextras/team \"red\"`}},
		"may not, says a newer target": {answer: constrained, code: 403, want: []string{`users \"jane\"; groups \"dev\"`, "refused impersonate-on:user-info:list on pods"}},
		"a path":                       {answer: onPath, code: 403, want: []string{"refused impersonate-on:user-info:get on /version"}},
		"the caller may not":           {answer: own, code: 403, want: []string{`User \"jane\" cannot list`}},
		"credentials are bad":          {answer: unauthorized, code: 503, want: []string{"does not accept the credentials"}},
		"another 401":                  {raw: "log in first", code: 401, want: []string{"log in first"}},
		"another 403":                  {raw: strings.Repeat("cannot impersonate", 10000), code: 403, want: []string{strings.Repeat("cannot impersonate", 10000)}},
	} {
		for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
			f := start(t, "", Options{}, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Impersonate-User") != "jane" {
					t.Errorf("%s: a request as KSIT itself arrived", name)
				}
				if test.answer == nil {
					w.WriteHeader(test.code)
					_, _ = io.WriteString(w, test.raw)
					return
				}
				w.Header().Set("Content-Type", mediaType)
				w.WriteHeader(int(test.answer.Code))
				_, _ = w.Write(encode(t, mediaType, test.answer))
			})
			response, body := f.get(t, "/api", nil)
			if response.StatusCode != test.code {
				t.Errorf("%s: %s %s", name, response.Status, body)
			}
			if test.answer == own && mediaType == runtime.ContentTypeProtobuf {
				continue // It is passed on as it is.
			}
			for _, want := range test.want {
				if !strings.Contains(body, want) {
					t.Errorf("%s: %s lacks %s", name, body, want)
				}
			}
			if strings.Contains(body, "ksit-secret-name") || strings.Contains(body, ksitToken) {
				t.Errorf("%s: tells of KSIT: %s", name, body)
			}
		}
	}
}

func encode(t *testing.T, mediaType string, status *metav1.Status) []byte {
	t.Helper()
	if mediaType == runtime.ContentTypeJSON {
		return fmt.Appendf(nil, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q,"details":%s}`,
			status.Code, status.Reason, status.Message, details(status))
	}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	var out bytes.Buffer
	if err := protobuf.NewSerializer(scheme, scheme).Encode(status, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func details(status *metav1.Status) string {
	if status.Details == nil {
		return "null"
	}
	return fmt.Sprintf(`{"group":%q,"kind":%q,"name":%q}`, status.Details.Group, status.Details.Kind, status.Details.Name)
}

func TestUnreachable(t *testing.T) {
	f := start(t, "", Options{}, func(http.ResponseWriter, *http.Request) {})
	f.target.Close()
	response, body := f.get(t, "/api", nil)
	if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be reached") || !strings.Contains(body, "refuses connections") {
		t.Errorf("%s %s", response.Status, body)
	}
}

func TestBodiesPass(t *testing.T) {
	f := start(t, "", Options{}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	sent := strings.Repeat("0123456789", 1<<20)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if response, body := f.do(t, method, "/api", nil, strings.NewReader(sent)); response.StatusCode != http.StatusOK || body != sent {
			t.Errorf("%s: %s, %d bytes", method, response.Status, len(body))
		}
	}
	if n := f.connects.Load(); n != 1 {
		t.Errorf("the kubeconfig was asked for %d times within seconds", n)
	}
}
