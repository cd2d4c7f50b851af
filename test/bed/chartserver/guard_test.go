// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ksit.io/ksit/test/bed/chartserver"
)

func TestToken(t *testing.T) {
	options := tests()
	options.Username, options.Password, options.Token = "somebody", "secret", "t0ken"
	_, url := serve(t, options)
	for _, path := range []string{"/token/test/index.yaml", "/v2/token/test/podinfo-lite/tags/list"} {
		if response, _ := get(t, url+path); response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %s", path, response.Status)
		}
		if response, _ := get(t, url+path, "Authorization", "Bearer t0ken"); response.StatusCode != http.StatusOK {
			t.Errorf("%s with it: %s", path, response.Status)
		}
	}
	response, _ := get(t, url+"/v2/token/test/podinfo-lite/manifests/1.0.0")
	challenge := response.Header.Get("WWW-Authenticate")
	if want := `Bearer realm="` + url + `/auth",service="charts",scope="repository:token/test/podinfo-lite:pull"`; challenge != want {
		t.Errorf("the challenge is %s, not %s", challenge, want)
	}
	if response, _ := get(t, url+"/auth"); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token for anybody: %s", response.Status)
	}
	var answer struct{ Token string }
	_, body := get(t, url+"/auth?service=charts", "Authorization", "Basic c29tZWJvZHk6c2VjcmV0")
	if err := json.Unmarshal(body, &answer); err != nil || answer.Token != "t0ken" {
		t.Errorf("the service gave %s, %v", body, err)
	}
}

func TestMutual(t *testing.T) {
	server, err := chartserver.New(tests())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(server)
	front.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	front.StartTLS()
	t.Cleanup(front.Close)
	const path = "/mutual/test/index.yaml"
	response, err := front.Client().Get(front.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("without a certificate: %s", response.Status)
	}
	for verified, want := range map[bool]int{false: http.StatusForbidden, true: http.StatusOK} {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
		if verified {
			request.TLS.VerifiedChains = [][]*x509.Certificate{{{}}}
		}
		recorder := httptest.NewRecorder()
		if server.ServeHTTP(recorder, request); recorder.Code != want {
			t.Errorf("a certificate, verified %v: %d", verified, recorder.Code)
		}
	}
}

func TestSigned(t *testing.T) {
	signer, err := chartserver.NewSigner("maintainer")
	if err != nil {
		t.Fatal(err)
	}
	options := tests()
	options.Signer = signer
	server, url := serve(t, options)
	response, body := get(t, url+"/test/podinfo-lite-1.0.0.tgz.prov")
	if response.StatusCode != http.StatusOK || string(body) != string(server.Provenance("test", "podinfo-lite", "1.0.0")) ||
		!strings.Contains(string(body), "podinfo-lite-1.0.0.tgz: sha256:") {
		t.Errorf("%s: %s", response.Status, body)
	}
	response, _ = get(t, url+"/v2/test/podinfo-lite/manifests/1.0.0")
	digest := response.Header.Get("Docker-Content-Digest")
	tag := strings.ReplaceAll(digest, ":", "-") + ".sig"
	if response, body = get(t, url+"/v2/test/podinfo-lite/manifests/"+tag); response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	var manifest struct {
		Layers []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(body, &manifest); err != nil || len(manifest.Layers) != 1 || manifest.Layers[0].Annotations["dev.cosignproject.cosign/signature"] == "" {
		t.Fatalf("the signature is %s, %v", body, err)
	}
	if _, payload := get(t, url+"/v2/test/podinfo-lite/blobs/"+manifest.Layers[0].Digest); !strings.Contains(string(payload), digest) {
		t.Errorf("the payload is %s", payload)
	}
	// A version that is published later is signed as well, and what was signed
	// before stays as it is.
	if err := server.Publish("test", "podinfo-lite", "3.0.0", "3.0.0"); err != nil {
		t.Fatal(err)
	}
	if response, _ = get(t, url+"/test/podinfo-lite-3.0.0.tgz.prov"); response.StatusCode != http.StatusOK {
		t.Error(response.Status)
	}
	if response, _ = get(t, url+"/v2/test/podinfo-lite/manifests/1.0.0"); response.Header.Get("Docker-Content-Digest") != digest {
		t.Error("the artifact changed")
	}
}
