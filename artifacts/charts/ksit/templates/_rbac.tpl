{{- /*
Bindings, which differ in names and subjects only. Parameters: root; role, a ClusterRole, or for ksit.roleBinding a Role
too (kind); name of the binding; namespace; components, whose service accounts are bound.
*/ -}}
{{- define "ksit.clusterRoleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "ksit.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .role | default .name }}
subjects:
  {{- include "ksit.subjects" . | trim | nindent 2 }}
{{- end -}}

{{- define "ksit.roleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace | default .root.Release.Namespace }}
  labels:
    {{- include "ksit.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind | default "Role" }}
  name: {{ .role | default .name }}
subjects:
  {{- include "ksit.subjects" . | trim | nindent 2 }}
{{- end -}}

{{- /* A ClusterRole for what is in the namespaces of tenants: in those of rbac.namespaces, or in all. */ -}}
{{- define "ksit.tenantBindings" -}}
{{- $binding := merge (dict "kind" "ClusterRole") . -}}
{{- range $n, $namespace := .root.Values.rbac.namespaces }}
{{- if $n }}
---
{{- end }}
{{ include "ksit.roleBinding" (merge (dict "namespace" $namespace) $binding) }}
{{- else -}}
{{ include "ksit.clusterRoleBinding" . }}
{{- end }}
{{- end -}}

{{- /* The rule for one Secret, by its name. */ -}}
{{- define "ksit.secretRule" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ .name }}]
  verbs: [{{ join ", " .verbs }}]
{{- end -}}
