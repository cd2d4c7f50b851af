{{- /*
Names and labels. Objects have the same names whatever the release is called: there is one APIService in a cluster,
and so one KSIT.
*/ -}}

{{- /* The mode: what is asked for, or what follows from replicas and etcd. */ -}}
{{- define "ksit.mode" -}}
{{- if .Values.mode -}}
{{ .Values.mode }}
{{- else if or (gt (int .Values.replicas) 1) .Values.etcd.servers -}}
ha
{{- else -}}
server
{{- end -}}
{{- end -}}

{{- define "ksit.isHA" -}}
{{- if eq (include "ksit.mode" .) "ha" }}true{{ end -}}
{{- end -}}

{{- /* The component that serves the API, and the one that runs the controllers. In mode server it is the same. */ -}}
{{- define "ksit.apiComponent" -}}
{{ ternary "apiserver" "server" (eq (include "ksit.mode" .) "ha") }}
{{- end -}}
{{- define "ksit.controllersComponent" -}}
{{ ternary "controller-manager" "server" (eq (include "ksit.mode" .) "ha") }}
{{- end -}}

{{- define "ksit.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* What selects the pods of a component. It is in fields that cannot be changed: nothing may be added. */ -}}
{{- define "ksit.selectorLabels" -}}
app.kubernetes.io/name: ksit
app.kubernetes.io/component: {{ . }}
{{- end -}}

{{- /* The labels of every object. */ -}}
{{- define "ksit.labels" -}}
app.kubernetes.io/name: ksit
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The names by which the aggregator and scrapers call KSIT; its certificate carries them. */ -}}
{{- define "ksit.apiHost" -}}
ksit-apiserver.{{ .Release.Namespace }}.svc
{{- end -}}
{{- define "ksit.diagnosticsHost" -}}
ksit-controller-manager.{{ .Release.Namespace }}.svc
{{- end -}}

{{- /* The Secret with the serving certificate. */ -}}
{{- define "ksit.servingSecret" -}}
{{- if eq .Values.certificates.source "secret" -}}
{{ .Values.certificates.secretName }}
{{- else -}}
ksit-serving
{{- end -}}
{{- end -}}

{{- /* Whether KSIT signs its certificate itself. */ -}}
{{- define "ksit.ownAuthority" -}}
{{- if eq .Values.certificates.source "ksit" }}true{{ end -}}
{{- end -}}

{{- /* The subjects of a binding: service accounts by their components. */ -}}
{{- define "ksit.subjects" -}}
{{- range .components }}
- kind: ServiceAccount
  name: ksit-{{ . }}
  namespace: {{ $.root.Release.Namespace }}
{{- end }}
{{- end -}}

{{- /* All components of the mode, as a list in JSON. */ -}}
{{- define "ksit.components" -}}
{{- list (include "ksit.apiComponent" .) (include "ksit.controllersComponent" .) | uniq | toJson -}}
{{- end -}}
