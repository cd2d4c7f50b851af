{{- /*
What KSIT reads as files, as the data of a ConfigMap; empty when nothing is asked for. It is a template so that pods can
carry its digest.
*/ -}}
{{- define "ksit.config" -}}
{{- if include "ksit.hasRewrites" . }}
rewrites.yaml: |
  {{- with .Values.rewrites.sources }}
  rewrites:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.rewrites.images }}
  images:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if .Values.tracing.endpoint }}
tracing.yaml: |
  apiVersion: apiserver.config.k8s.io/v1
  kind: TracingConfiguration
  endpoint: {{ .Values.tracing.endpoint }}
  samplingRatePerMillion: {{ int .Values.tracing.samplingRatePerMillion }}
{{- end }}
{{- with .Values.audit.policy }}
audit-policy.yaml: |
  apiVersion: audit.k8s.io/v1
  kind: Policy
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraCA }}
extra-ca.crt: |
  {{- . | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "ksit.hasRewrites" -}}
{{- if or .Values.rewrites.sources .Values.rewrites.images }}true{{ end -}}
{{- end -}}
