// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import "strings"

// noDrift is what others may do to objects, and how they may be written.
func noDrift() []driftCase {
	return []driftCase{
		{name: "defaults, quantities and empty fields", applied: deploymentYAML + "---" + serviceYAML + "---" + statefulSetYAML},
		{name: "status", applied: deploymentYAML, change: status(`{"status": {"replicas": 2, "observedGeneration": 1}}`)},
		{name: "what others add", applied: deploymentYAML, change: edit(`{
			"metadata": {"labels": {"theirs": "x"}, "annotations": {"deployment.kubernetes.io/revision": "3"}, "finalizers": ["example.com/theirs"]},
			"spec": {"revisionHistoryLimit": 3, "template": {
				"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}},
				"spec": {"tolerations": [{"key": "theirs", "operator": "Exists"}]}}}}`)},
		{name: "a sidecar, a variable and a volume", applied: deploymentYAML, change: strategic(`{"spec": {"template": {"spec": {
			"containers": [
				{"name": "sidecar", "image": "docker.io/library/sidecar:1"},
				{"name": "web", "env": [{"name": "C", "value": "3"}], "resources": {"limits": {"ephemeral-storage": "1Gi"}}}],
			"volumes": [{"name": "theirs", "emptyDir": {}}]}}}}`)},
		{name: "containers in another order", applied: deploymentYAML, change: strategic(
			`{"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "helper"}, {"name": "web"}], "containers": [{"name": "helper"}]}}}}`)},
		{name: "quantities written in another way", applied: deploymentYAML, change: strategic(
			`{"spec": {"template": {"spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2000m"}}}]}}}}`)},
		{name: "replicas under an autoscaler", applied: deploymentYAML, change: both(add(autoscalerYAML), edit(`{"spec": {"replicas": 7}}`))},
		{name: "an object that says so", applied: deploymentYAML, change: edit(`{"metadata": {"annotations": {"ksit.io/drift": "ignore"}}, "spec": {"replicas": 7}}`)},
		{name: "text of a Secret", applied: secretYAML},
		{name: "allocated ports and addresses", applied: serviceYAML},
		{name: "labels that a Job gets", applied: jobYAML},
		{name: "a Job that goes when it is done", applied: jobYAML + "  ttlSecondsAfterFinished: 1\n", change: remove},
		{name: "the CA bundle of a webhook", applied: webhooksYAML, change: strategic(
			`{"webhooks": [{"name": "drift.example.com", "failurePolicy": "Fail", "clientConfig": {"caBundle": "aW5qZWN0ZWQ="}}]}`)},
		{name: "the CA bundle of an API service", applied: apiServiceYAML, change: edit(`{"spec": {"caBundle": "aW5qZWN0ZWQ="}}`)},
		{name: "the CA bundle of a CRD", applied: crdYAML, change: injectCA},
		{name: "the CA bundle of a CRD with a place-holder", applied: strings.NewReplacer("idget", "ocket", "{service:", "{caBundle: ZHVtbXk=, service:").Replace(crdYAML), helmOnly: true, change: injectCA},
		{name: "rules of an aggregated role", applied: aggregatedRoleYAML, change: edit(`{"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}`)},
		{name: "a manifest that does not fit its schema", applied: unfitYAML, helmOnly: true, change: edit(`{"metadata": {"labels": {"theirs": "x"}}}`)},
		{name: "a sidecar in what does not fit its schema", applied: unfitYAML, helmOnly: true, change: strategic(
			`{"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "image": "docker.io/library/sidecar:1"}]}}}}`)},
	}
}

// trueDrift is what must not go unnoticed.
func trueDrift() []driftCase {
	const container = "Deployment web /spec/template/spec/containers/0"
	return []driftCase{
		{
			name: "an image", applied: deploymentYAML,
			change: strategic(`{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "docker.io/library/web:2"}]}}}}`),
			want:   []string{container + "/image"},
		},
		{
			name: "replicas without an autoscaler", applied: deploymentYAML,
			change: edit(`{"spec": {"replicas": 3}}`), want: []string{"Deployment web /spec/replicas"},
		},
		{
			name: "labels and annotations", applied: deploymentYAML,
			change: edit(`{"metadata": {"labels": {"tier": null}, "annotations": {"example.com/note": "second"}}}`),
			want:   []string{"Deployment web /metadata/annotations/example.com~1note", "Deployment web /metadata/labels/tier"},
		},
		{
			name: "arguments that somebody adds", applied: deploymentYAML,
			change: strategic(`{"spec": {"template": {"spec": {"containers": [{"name": "web", "args": ["--one", "--two", "--three"]}]}}}}`),
			want:   []string{container + "/args"},
		},
		{
			name: "an argument", applied: deploymentYAML,
			change: strategic(`{"spec": {"template": {"spec": {"containers": [{"name": "web", "args": ["--one", "--three"]}]}}}}`),
			want:   []string{container + "/args/1"},
		},
		{
			name: "a container that somebody removes", applied: deploymentYAML,
			change: strategic(`{"spec": {"template": {"spec": {"containers": [{"name": "helper", "$patch": "delete"}]}}}}`),
			want:   []string{"Deployment web /spec/template/spec/containers/1"},
		},
		{
			name: "a variable and a quantity", applied: deploymentYAML,
			change: strategic(`{"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "A", "value": "2"}], "resources": {"limits": {"cpu": "3"}}}]}}}}`),
			want:   []string{container + "/env/0/value", container + "/resources/limits/cpu"},
		},
		{
			name: "a port of a Service", applied: serviceYAML,
			change: strategic(`{"spec": {"ports": [{"port": 9090, "$patch": "delete"}]}}`), want: []string{"Service web /spec/ports/1"},
		},
		{
			name: "values of a Secret", applied: secretYAML,
			change: edit(`{"data": {"password": "d3Jvbmc=", "old": null}}`), want: []string{"Secret web /data/old", "Secret web /data/password"},
		},
		{
			name: "all data of a ConfigMap", applied: configMapYAML,
			change: edit(`{"data": null}`), want: []string{"ConfigMap web /data/color", "ConfigMap web /data/size"},
		},
		{
			name: "a rule of a role", applied: clusterRoleYAML,
			change: edit(`{"rules": [{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get", "list"]}]}`), want: []string{"ClusterRole drift-reader /rules/0/apiGroups/0"},
		},
		{
			name: "the service of a webhook", applied: webhooksYAML,
			change: strategic(`{"webhooks": [{"name": "drift.example.com", "clientConfig": {"caBundle": "aW5qZWN0ZWQ=", "service": {"namespace": "nowhere", "name": "other"}}}]}`),
			want:   []string{"ValidatingWebhookConfiguration drift.example.com /webhooks/0/clientConfig/service/name"},
		},
		{name: "an object that somebody deletes", applied: configMapYAML + "---" + serviceYAML, change: remove, want: []string{"ConfigMap web is missing"}},
		{
			name: "a Job that somebody makes anew", applied: jobYAML,
			change: both(remove, add(`{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: {metadata: {labels: {app: once}},
				spec: {restartPolicy: Never, containers: [{name: once, image: "docker.io/library/other:1"}]}}}}`)),
			want: []string{"Job once /spec/template/spec/containers/0/image"},
		},
		{
			name: "an image in what does not fit its schema", applied: unfitYAML, helmOnly: true,
			change: strategic(`{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "docker.io/library/web:2"}]}}}}`),
			want:   []string{container + "/image"},
		},
	}
}
