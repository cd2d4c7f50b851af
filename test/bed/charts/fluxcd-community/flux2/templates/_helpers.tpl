{{- define "flux2.labels" -}}
app.kubernetes.io/instance: {{ .Release.Namespace }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: flux
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{- define "flux2.crds.labels" -}}
{{ include "flux2.labels" . }}
{{- end -}}

{{- define "flux2.crds.annotations" -}}
meta.ksit.io/stand-in: "true"
{{- with .Values.crds.annotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The controllers, by the key of their values. */}}
{{- define "flux2.controllers" -}}
helmController: {name: helm-controller, grace: 600}
imageAutomationController: {name: image-automation-controller, grace: 10}
imageReflectionController: {name: image-reflector-controller, grace: 10, data: true}
kustomizeController: {name: kustomize-controller, grace: 60}
notificationController:
  name: notification-controller
  grace: 10
  ports: {http: 9090, http-webhook: 9292}
  services: {notification-controller: http, webhook-receiver: http-webhook}
sourceController:
  name: source-controller
  grace: 10
  data: true
  ports: {http: 9090}
  services: {source-controller: http}
{{- end -}}
