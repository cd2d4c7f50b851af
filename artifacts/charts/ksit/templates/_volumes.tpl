{{- /* What is mounted into pods, and from where. Parameters as ksit.podTemplate has them. */ -}}
{{- define "ksit.volumeMounts" -}}
{{- if eq .command "server" }}
- name: data
  mountPath: /var/lib/ksit
{{- else }}
- name: cache
  mountPath: /var/cache/ksit
{{- end }}
- name: tmp
  mountPath: /tmp
{{- if include "ksit.config" .root }}
- name: config
  mountPath: /etc/ksit/config
  readOnly: true
{{- end }}
{{- if .root.Values.extraCA }}
- name: extra-ca
  mountPath: /etc/ksit/extra-ca
  readOnly: true
{{- end }}
{{- range include "ksit.mountedSecrets" . | fromJsonArray }}
- name: {{ .name }}
  mountPath: /etc/ksit/{{ .name }}
  readOnly: true
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ksit.volumes" -}}
{{- if ne .command "server" }}
# Downloaded charts and indexes, which KSIT keeps below 256Mi.
- name: cache
  emptyDir:
    sizeLimit: 512Mi
{{- else if not .root.Values.persistence.enabled }}
- name: data
  emptyDir: {}
{{- else if .root.Values.persistence.existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .root.Values.persistence.existingClaim }}
{{- end }}
# Charts while they are unpacked.
- name: tmp
  emptyDir:
    sizeLimit: 512Mi
{{- if include "ksit.config" .root }}
- name: config
  configMap:
    name: ksit-config
{{- end }}
{{- if .root.Values.extraCA }}
- name: extra-ca
  configMap:
    name: ksit-config
    items:
      - key: extra-ca.crt
        path: extra-ca.crt
{{- end }}
{{- range include "ksit.mountedSecrets" . | fromJsonArray }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    # For the group of the process, and nobody else.
    defaultMode: 0440
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The Secrets that a command reads as files below /etc/ksit, as a list in JSON. */ -}}
{{- define "ksit.mountedSecrets" -}}
{{- $secrets := list -}}
{{- if ne .command "controller-manager" -}}
{{- if and (eq .command "apiserver") .root.Values.etcd.secretName -}}
{{- $secrets = append $secrets (dict "name" "etcd" "secret" .root.Values.etcd.secretName) -}}
{{- end -}}
{{- with .root.Values.encryption.secretName -}}
{{- $secrets = append $secrets (dict "name" "encryption" "secret" .) -}}
{{- end -}}
{{- end -}}
{{- toJson $secrets -}}
{{- end -}}
