// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const deploy = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: ksit-server, namespace: ksit-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ksit, namespace: ksit-system}
---
apiVersion: v1
kind: Service
metadata: {name: ksit-apiserver, namespace: ksit-system}
spec: {selector: {app: ksit}, ports: [{port: 443}]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1alpha1.ksit.io}
spec:
  group: ksit.io
  version: v1alpha1
  insecureSkipTLSVerify: true
  service: {name: ksit-apiserver, namespace: ksit-system, port: 443}
`

func TestManifestsLeadToTheProcess(t *testing.T) {
	manifests, err := ParseObjects([]byte(deploy))
	if err != nil {
		t.Fatal(err)
	}
	k := &KSIT{Cert: &CertFiles{CAPEM: []byte("ca")}}
	objects, err := k.adapt(manifests, "ksit-server")
	if err != nil {
		t.Fatal(err)
	}
	k.pointAPIService(objects, 20001)

	var kinds []string
	for _, object := range objects {
		kinds = append(kinds, object.GetKind())
	}
	if got := strings.Join(kinds, " "); got != "ServiceAccount Service" {
		t.Errorf("applied before KSIT runs: %s", got)
	}
	if k.Namespace != "ksit-system" || k.ServiceAccount != "ksit-server" {
		t.Errorf("KSIT runs as %s/%s", k.Namespace, k.ServiceAccount)
	}
	spec := k.apiService.Object["spec"].(map[string]any)
	if _, insecure := spec["insecureSkipTLSVerify"]; insecure || spec["caBundle"] != "Y2E=" {
		t.Errorf("the host does not verify KSIT: %v", spec)
	}
	if port, _, _ := unstructured.NestedInt64(spec, "service", "port"); port != 20001 {
		t.Errorf("the host calls port %d", port)
	}
	service := objects[1].Object["spec"].(map[string]any)
	if service["externalName"] != "localhost" || service["selector"] != nil {
		t.Errorf("the Service leads to %v", service)
	}
}

func TestManifestsWithoutWhatIsNeeded(t *testing.T) {
	for name, tt := range map[string]struct{ leaveOut, account, want string }{
		"no APIService":  {"APIService", "ksit-server", "no APIService"},
		"other accounts": {"", "ksit-apiserver", `"ksit-apiserver"`},
	} {
		t.Run(name, func(t *testing.T) {
			manifests, err := ParseObjects([]byte(deploy))
			if err != nil {
				t.Fatal(err)
			}
			var kept []*unstructured.Unstructured
			for _, object := range manifests {
				if object.GetKind() != tt.leaveOut {
					kept = append(kept, object)
				}
			}
			if _, err := (&KSIT{}).adapt(kept, tt.account); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, it should say %s", err, tt.want)
			}
		})
	}
}
