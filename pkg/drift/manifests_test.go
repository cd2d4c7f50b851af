// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

const deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  creationTimestamp: null
  labels: {app: web, tier: front}
  annotations: {example.com/note: first}
spec:
  replicas: 2
  strategy: {}
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      creationTimestamp: null
      labels: {app: web}
      annotations: null
    spec:
      nodeSelector: {}
      containers:
      - name: web
        image: docker.io/library/web:1
        args: [--one, --two]
        resources:
          requests: {cpu: 1000m, memory: 1024Mi}
          limits: {cpu: 2, memory: 2Gi}
        env:
        - {name: A, value: "1"}
        - {name: B, value: ""}
        ports:
        - {containerPort: 53, protocol: UDP, name: dns}
        - {containerPort: 53, protocol: TCP, name: dns-tcp}
        securityContext: {}
      - name: helper
        image: docker.io/library/helper:1
      volumes:
      - {name: scratch, emptyDir: {}}
status: {}
`

const serviceYAML = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: metrics, port: 9090}
`

const secretYAML = `
apiVersion: v1
kind: Secret
metadata: {name: web}
data: {old: b2xk}
stringData: {password: correct horse}
`

const configMapYAML = `
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: red, size: large}
`

const jobYAML = `
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    metadata: {labels: {app: once}}
    spec:
      restartPolicy: Never
      containers: [{name: once, image: docker.io/library/once:1}]
`

const statefulSetYAML = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: docker.io/library/db:1, volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data, creationTimestamp: null}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
`

const webhooksYAML = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: drift.example.com}
webhooks:
- name: drift.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {caBundle: Cg==, service: {namespace: nowhere, name: nothing, path: /validate}}
  rules: [{apiGroups: [nothing.example.com], apiVersions: [v1], operations: [CREATE], resources: [nothings]}]
`

const apiServiceYAML = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.nothing.example.com}
spec:
  group: nothing.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: ZHVtbXk=
  service: {namespace: nowhere, name: nothing}
`

const crdYAML = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.drift.example.com}
spec:
  group: drift.example.com
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  scope: Namespaced
  preserveUnknownFields: false
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: {service: {namespace: nowhere, name: nothing, path: /convert}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
status: {acceptedNames: {kind: "", plural: ""}, conditions: [], storedVersions: []}
`

const clusterRoleYAML = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: drift-reader}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
`

const aggregatedRoleYAML = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: drift-aggregated}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
rules: []
`

const autoscalerYAML = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 10
`

// unfitYAML has a field that its kind does not have, and a variable twice.
const unfitYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicaz: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: docker.io/library/web:1
        resources: {requests: {cpu: 1000m}}
        env: [{name: A, value: "1"}, {name: A, value: "2"}]
        ports:
        - {containerPort: 53, protocol: UDP, name: dns}
        - {containerPort: 53, protocol: TCP, name: dns-tcp}
`
