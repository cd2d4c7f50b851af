{{- define "argo-cd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A release whose name has "argocd" in it lends its name to everything. */}}
{{- define "argo-cd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "argo-cd.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels; the argument is a dict of root and, where there is one, component. */}}
{{- define "argo-cd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{ include "argo-cd.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: argocd
app.kubernetes.io/version: {{ include "argo-cd.tag" .root }}
{{- with .root.Values.global.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "argo-cd.selectorLabels" -}}
app.kubernetes.io/name: {{ include "argo-cd.name" .root }}{{ with .component }}-{{ . }}{{ end }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "argo-cd.tag" -}}
{{- default .Chart.AppVersion .Values.global.image.tag -}}
{{- end -}}

{{/* What the definitions of Argo CD's kinds carry. */}}
{{- define "argo-cd.crds.labels" -}}
app.kubernetes.io/name: definitions.argoproj.io
app.kubernetes.io/part-of: argocd
{{- with .Values.crds.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "argo-cd.crds.annotations" -}}
meta.ksit.io/stand-in: "true"
{{- if .Values.crds.keep }}
helm.sh/resource-policy: keep
{{- end }}
{{- with .Values.crds.annotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The components, by the key of their values. */}}
{{- define "argo-cd.components" -}}
controller:
  kind: StatefulSet
  component: application-controller
  command: [/usr/local/bin/argocd-application-controller]
  ports: {metrics: 8082}
  probe: {path: /healthz, port: metrics}
repoServer:
  kind: Deployment
  component: repo-server
  command: [/usr/local/bin/argocd-repo-server, --port=8081, --metrics-port=8084]
  ports: {repo-server: 8081, metrics: 8084}
  service: {tcp-repo-server: 8081}
  probe: {path: /healthz, port: metrics}
  init:
    name: copyutil
    command: [/bin/cp, -n, /usr/local/bin/argocd, /var/run/argocd/argocd-cmp-server]
server:
  kind: Deployment
  component: server
  command: [/usr/local/bin/argocd-server, --port=8080, --metrics-port=8083]
  ports: {server: 8080, metrics: 8083}
  service: {http: 80, https: 443}
  target: 8080
  probe: {path: /healthz, port: server}
redis:
  kind: Deployment
  component: redis
  command: [redis-server, --save, "", --appendonly, "no"]
  ports: {redis: 6379}
  service: {tcp-redis: 6379}
dex:
  kind: Deployment
  component: dex-server
  command: [/shared/argocd-dex, rundex]
  ports: {http: 5556, grpc: 5557, metrics: 5558}
  service: {http: 5556, grpc: 5557}
  probe: {path: /healthz/live, port: metrics}
  init:
    name: copyutil
    command: [/bin/cp, -n, /usr/local/bin/argocd, /shared/argocd-dex]
applicationSet:
  kind: Deployment
  component: applicationset-controller
  command: [/usr/local/bin/argocd-applicationset-controller, --metrics-addr=:8080, --webhook-addr=:7000]
  ports: {metrics: 8080, probe: 8081, webhook: 7000}
  service: {http-webhook: 7000}
notifications:
  kind: Deployment
  component: notifications-controller
  command: [/usr/local/bin/argocd-notifications, --metrics-port=9001]
  ports: {metrics: 9001}
{{- end -}}

{{/* Whether a component is wanted: those without a switch always are. */}}
{{- define "argo-cd.enabled" -}}
{{- if not (hasKey . "enabled") -}}true{{- else if .enabled -}}true{{- end -}}
{{- end -}}

{{/* Redis runs as the default account; the others have one each. */}}
{{- define "argo-cd.serviceAccountName" -}}
{{- if eq .component "redis" -}}
default
{{- else if or (eq .component "application-controller") (eq .component "server") (eq .component "dex-server") -}}
argocd-{{ .component }}
{{- else -}}
{{ include "argo-cd.fullname" .root }}-{{ .component }}
{{- end -}}
{{- end -}}
