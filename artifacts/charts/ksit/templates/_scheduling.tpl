{{- /* Where replicas of a component run. */ -}}

{{- /* On nodes apart where there are any: a replica on a shared node is better than none. */ -}}
{{- define "ksit.antiAffinity" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "ksit.selectorLabels" . | nindent 12 }}
{{- end -}}

{{- define "ksit.topologySpread" -}}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "ksit.selectorLabels" . | nindent 6 }}
  # So that the pods of an upgrade are spread among themselves.
  matchLabelKeys: [pod-template-hash]
{{- end -}}
