{{- define "kube-prometheus-stack.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Cut to 26 characters, for what the operator puts before and after it. */}}
{{- define "kube-prometheus-stack.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 26 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 26 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 26 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kube-prometheus-stack.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "kube-prometheus-stack.labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.Version | replace "+" "_" | quote }}
app.kubernetes.io/part-of: {{ include "kube-prometheus-stack.name" . }}
chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
release: {{ .Release.Name | quote }}
heritage: {{ .Release.Service | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "kube-prometheus-stack.account" -}}
{{- $values := index .root.Values .component -}}
{{- default (printf "%s-%s" (include "kube-prometheus-stack.fullname" .root) .component) $values.serviceAccount.name -}}
{{- end -}}

{{/* An image, from the registry of all if there is one. */}}
{{- define "kube-prometheus-stack.image" -}}
{{- printf "%s/%s:%s" (.root.Values.global.imageRegistry | default .image.registry) .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{/* A selector: the one given, else what belongs to the release, else everything. */}}
{{- define "kube-prometheus-stack.selector" -}}
{{- if .given }}
{{- toYaml .given }}
{{- else if .ours }}
{{- toYaml (dict "matchLabels" (dict "release" .root.Release.Name)) }}
{{- else }}
{{- "{}" }}
{{- end }}
{{- end -}}

{{/* The metadata that all parts of the webhooks' hooks have. */}}
{{- define "kube-prometheus-stack.hook" }}
  labels:
    app: {{ include "kube-prometheus-stack.name" .root }}-admission
    {{- include "kube-prometheus-stack.labels" .root | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .when }}
    helm.sh/hook-weight: {{ .weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
