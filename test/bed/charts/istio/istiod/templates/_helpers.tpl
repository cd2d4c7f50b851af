{{- define "istiod.name" -}}
istiod{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end -}}

{{- define "istiod.suffix" -}}
{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end -}}

{{- define "istiod.revision" -}}
{{- .Values.revision | default "default" -}}
{{- end -}}

{{- define "istiod.labels" -}}
istio.io/rev: {{ include "istiod.revision" . | quote }}
install.operator.istio.io/owning-resource: unknown
operator.istio.io/component: Pilot
release: {{ .Release.Name }}
{{- end -}}

{{/* The rules of the mesh, as istiod reads them. */}}
{{- define "istiod.mesh" -}}
defaultConfig:
  discoveryAddress: {{ include "istiod.name" . }}.{{ .Release.Namespace }}.svc:15012
  tracing:
    sampling: {{ .Values.pilot.traceSampling }}
{{- if and .Values.telemetry.enabled .Values.telemetry.v2.enabled }}
defaultProviders:
  metrics: [prometheus]
{{- end }}
rootNamespace: {{ .Values.meshConfig.rootNamespace | default .Values.global.istioNamespace }}
trustDomain: cluster.local
{{- end -}}
