{{- /*
The pods of all commands. They differ in arguments, in what is mounted, in ports and in how they are stopped; the rest is
said once. Parameters: root; command, which is the component too; port, the name of the port with the probes; livez, the
path of the liveness probe; grace, the seconds of an orderly stop.
*/ -}}
{{- define "ksit.podTemplate" -}}
{{- $values := get .root.Values (include "ksit.valuesKey" .command) -}}
metadata:
  labels:
    {{- include "ksit.selectorLabels" .command | nindent 4 }}
    {{- if ne .command "apiserver" }}
    # Where the controllers are: kubectl logs -l control-plane=controller-manager
    control-plane: controller-manager
    {{- end }}
    {{- with .root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $config := include "ksit.config" .root }}
  {{- if or $config .root.Values.podAnnotations }}
  annotations:
    {{- with $config }}
    # Files are read when KSIT starts: a change of them is a new pod.
    checksum/config: {{ sha256sum . }}
    {{- end }}
    {{- with .root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: ksit-{{ .command }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  {{- with .root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  # Longer than an orderly stop takes, in which requests are answered and installs
  # written down.
  terminationGracePeriodSeconds: {{ .grace }}
  securityContext:
    {{- include "ksit.podSecurityContext" . | nindent 4 }}
  containers:
    - name: ksit
      image: {{ include "ksit.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        - {{ .command }}
        {{- include (printf "ksit.args.%s" .command) .root | nindent 8 }}
        {{- range concat .root.Values.extraArgs $values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- with include "ksit.env" .root }}
      env:
        {{- . | trim | nindent 8 }}
      {{- end }}
      ports:
        - name: {{ .port }}
          containerPort: {{ include "ksit.port" .port }}
          protocol: TCP
      securityContext:
        {{- include "ksit.containerSecurityContext" . | nindent 8 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      # The certificate is waited for, and caches are filled, before KSIT serves.
      startupProbe:
        {{- include "ksit.probe" (dict "path" "/livez" "port" .port "period" 2 "timeout" 5 "failures" 90) | nindent 8 }}
      {{- if ne .livez "/livez" }}
      # A restart mends no etcd.
      {{- end }}
      livenessProbe:
        {{- include "ksit.probe" (dict "path" .livez "port" .port "period" 10 "timeout" 15 "failures" 6) | nindent 8 }}
      readinessProbe:
        {{- include "ksit.probe" (dict "path" "/readyz" "port" .port "period" 5 "timeout" 15 "failures" 3) | nindent 8 }}
      volumeMounts:
        {{- include "ksit.volumeMounts" . | trim | nindent 8 }}
  volumes:
    {{- include "ksit.volumes" . | trim | nindent 4 }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .root.Values.affinity }}
  affinity:
    {{- toYaml .root.Values.affinity | nindent 4 }}
  {{- else if include "ksit.isHA" .root }}
  affinity:
    {{- include "ksit.antiAffinity" .command | nindent 4 }}
  {{- end }}
  {{- if include "ksit.isHA" .root }}
  topologySpreadConstraints:
    {{- include "ksit.topologySpread" .command | nindent 4 }}
  {{- end }}
{{- end -}}

{{- /* The key of the values of a command. */ -}}
{{- define "ksit.valuesKey" -}}
{{ ternary "controllerManager" . (eq . "controller-manager") }}
{{- end -}}

{{- /* The container port behind a name. */ -}}
{{- define "ksit.port" -}}
{{ get (dict "https" 8443 "metrics" 8444) . }}
{{- end -}}

{{- define "ksit.probe" -}}
httpGet:
  path: {{ .path | quote }}
  port: {{ .port }}
  scheme: HTTPS
periodSeconds: {{ .period }}
timeoutSeconds: {{ .timeout }}
failureThreshold: {{ .failures }}
{{- end -}}

{{- /* Together with the next one this is the standard restricted of Kubernetes. */ -}}
{{- define "ksit.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
# Volumes and Secrets are for this group.
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "ksit.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "ksit.env" -}}
{{- if .Values.extraCA }}
# Beside the authorities of the image, not in place of them.
- name: SSL_CERT_DIR
  value: /etc/ksit/extra-ca
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
