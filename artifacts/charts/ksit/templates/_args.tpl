{{- /*
The arguments of each command, put together from what commands have in common. No value of a Secret is ever an
argument: everybody who may get pods could read it.
*/ -}}

{{- define "ksit.args.server" -}}
{{ include "ksit.args.common" . }}
{{ include "ksit.args.authority" . }}
{{ include "ksit.args.api" . }}
# Below the root of the volume, because it is closed to groups.
- --data-dir=/var/lib/ksit/data
{{- end -}}

{{- define "ksit.args.apiserver" -}}
{{ include "ksit.args.common" . }}
{{ include "ksit.args.api" . }}
- --etcd-servers={{ join "," .Values.etcd.servers }}
- --etcd-prefix={{ .Values.etcd.prefix }}
{{- if .Values.etcd.secretName }}
- --etcd-cafile=/etc/ksit/etcd/ca.crt
- --etcd-certfile=/etc/ksit/etcd/tls.crt
- --etcd-keyfile=/etc/ksit/etcd/tls.key
{{- end }}
- --cache-dir=/var/cache/ksit
# Long enough for every kube-apiserver and node to learn that this replica goes, while
# it still answers; then it asks who comes nevertheless to come again.
- --shutdown-delay-duration={{ .Values.apiserver.shutdownDelay }}
- --shutdown-send-retry-after=true
- --shutdown-watch-termination-grace-period=10s
# A kube-apiserver keeps its connection for good: without this, a replica that comes
# back gets no work.
- --goaway-chance={{ .Values.apiserver.goawayChance }}
{{- end -}}

{{- define "ksit.args.controller-manager" -}}
{{ include "ksit.args.common" . }}
{{- with include "ksit.args.authority" . }}
{{ . }}
{{- end }}
- --cache-dir=/var/cache/ksit
- --leader-elect-namespace={{ .Release.Namespace }}
{{- end -}}

{{- /* What every command has: logs and traces, the certificate, and what may be fetched from where. */ -}}
{{- define "ksit.args.common" -}}
- --logging-format={{ .Values.logging.format }}
- --v={{ .Values.logging.verbosity }}
- --serving-secret={{ .Release.Namespace }}/{{ include "ksit.servingSecret" . }}
{{- if include "ksit.hasRewrites" . }}
- --rewrites-file=/etc/ksit/config/rewrites.yaml
{{- end }}
{{- if .Values.tracing.endpoint }}
- --tracing-config-file=/etc/ksit/config/tracing.yaml
{{- end }}
{{- range .Values.allowedSources }}
- {{ printf "--allowed-sources=%s" . | quote }}
{{- end }}
{{- end -}}

{{- /* Of those that sign and rotate the certificate, when KSIT does it. */ -}}
{{- define "ksit.args.authority" -}}
{{- if include "ksit.ownAuthority" . -}}
- --ca-secret={{ .Release.Namespace }}/ksit-ca
- --serving-names={{ include "ksit.apiHost" . }},{{ include "ksit.diagnosticsHost" . }}
- --certificate-validity={{ .Values.certificates.validity }}
- --authority-validity={{ .Values.certificates.authorityValidity }}
- --certificate-overlap={{ .Values.certificates.overlap }}
{{- end -}}
{{- end -}}

{{- /* Of those that serve the API. */ -}}
{{- define "ksit.args.api" -}}
- --secure-port=8443
{{- if .Values.audit.policy }}
- --audit-policy-file=/etc/ksit/config/audit-policy.yaml
# To standard output, with the other logs.
- --audit-log-path=-
{{- end }}
{{- if .Values.encryption.secretName }}
- --encryption-provider-config=/etc/ksit/encryption/encryption.yaml
- --encryption-provider-config-automatic-reload=true
{{- end }}
{{- end -}}
