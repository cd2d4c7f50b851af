{{- /* The Deployments of mode ha. Parameters as ksit.podTemplate has them. */ -}}
{{- define "ksit.deploymentSpec" -}}
replicas: {{ .root.Values.replicas }}
# None goes before another one is ready in its place.
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxUnavailable: 0
    maxSurge: 1
selector:
  matchLabels:
    {{- include "ksit.selectorLabels" .command | nindent 4 }}
template:
  {{- include "ksit.podTemplate" . | nindent 2 }}
{{- end -}}

{{- /*
Seconds of an orderly stop of the API: the delay, then as long as a request may take, then the end of watches, and some
more for a busy node.
*/ -}}
{{- define "ksit.apiGrace" -}}
{{- add (trimSuffix "s" .Values.apiserver.shutdownDelay) 60 10 10 -}}
{{- end -}}
