{{- define "grafana.fullname" -}}
{{- printf "%s-grafana" .Release.Name | trunc 63 -}}
{{- end -}}

{{- define "grafana.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "grafana.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: grafana
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}


{{/* A container that carries labelled ConfigMaps into a directory. */}}
{{- define "grafana.sidecar" -}}
- name: grafana-sc-{{ .kind }}
  image: {{ (.root.Values.global).imageRegistry | default .root.Values.sidecar.image.registry }}/{{ .root.Values.sidecar.image.repository }}:{{ .root.Values.sidecar.image.tag }}
  imagePullPolicy: IfNotPresent
  env:
    - {name: METHOD, value: WATCH}
    - {name: LABEL, value: {{ .values.label }}}
    - {name: LABEL_VALUE, value: {{ .values.labelValue | quote }}}
    - {name: FOLDER, value: /etc/grafana/provisioning/{{ .kind }}}
    - {name: RESOURCE, value: both}
    - name: REQ_USERNAME
      valueFrom: {secretKeyRef: {name: {{ include "grafana.fullname" .root }}, key: admin-user}}
    - name: REQ_PASSWORD
      valueFrom: {secretKeyRef: {name: {{ include "grafana.fullname" .root }}, key: admin-password}}
    - {name: REQ_URL, value: http://localhost:3000/api/admin/provisioning/{{ .kind }}/reload}
    - {name: REQ_METHOD, value: POST}
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
  volumeMounts:
    - {name: sc-{{ .kind }}, mountPath: /etc/grafana/provisioning/{{ .kind }}}
{{- end -}}
