{{- /*
What the schema cannot say, because it follows from several values or from what is installed already. Each message says
what to do.
*/ -}}
{{- define "ksit.validate" -}}
{{- $mode := include "ksit.mode" . -}}
{{- if and (eq $mode "server") (gt (int .Values.replicas) 1) -}}
{{- fail (printf "\n\nmode is server and replicas is %d: the embedded etcd of this mode has one owner.\n%s" (int .Values.replicas) (include "ksit.validate.etcd" .)) -}}
{{- end -}}
{{- if and (eq $mode "server") .Values.etcd.servers -}}
{{- fail "\n\nmode is server and etcd.servers is set: this mode has an etcd of its own. Leave mode empty, or set it to ha." -}}
{{- end -}}
{{- if and (eq $mode "ha") (not .Values.etcd.servers) -}}
{{- fail (printf "\n\n%s, and etcd.servers is empty.\n%s" (ternary "mode is ha" (printf "replicas is %d" (int .Values.replicas)) (eq .Values.mode "ha")) (include "ksit.validate.etcd" .)) -}}
{{- end -}}
{{- range .Values.etcd.servers -}}
{{- if and (hasPrefix "https://" .) (not $.Values.etcd.secretName) -}}
{{- fail (printf "\n\netcd.servers has %s, and etcd.secretName is empty: name the Secret with ca.crt, tls.crt and tls.key of a client of that etcd." .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.certificates -}}
{{- if and (eq .source "secret") (or (not .secretName) (not .caBundle)) -}}
{{- fail "\n\ncertificates.source is secret: certificates.secretName must name a Secret with tls.crt and tls.key, and certificates.caBundle must be the certificate (PEM) of the authority that signed it." -}}
{{- end -}}
{{- if and (eq .source "cert-manager") (not .issuerRef.name) -}}
{{- fail "\n\ncertificates.source is cert-manager: certificates.issuerRef must say which Issuer or ClusterIssuer signs (name, kind)." -}}
{{- end -}}
{{- if and (ne .source "secret") (or .secretName .caBundle) -}}
{{- fail (printf "\n\ncertificates.secretName and certificates.caBundle belong to certificates.source=secret; it is %s." .source) -}}
{{- end -}}
{{- end -}}
{{- if eq $mode "server" -}}
{{- include "ksit.validate.volume" . -}}
{{- end -}}
{{- end -}}

{{- define "ksit.validate.etcd" -}}
Several replicas share an etcd outside of KSIT. To have them:
  1. run an etcd of three members with TLS, and put ca.crt, tls.crt and tls.key of a client into a Secret of this namespace;
  2. if KSIT runs here already with its embedded etcd, take its data along with `ksit etcd migrate`: see docs/etcd.md;
  3. --set replicas=3 --set 'etcd.servers={https://etcd-0.example.com:2379,...}' --set etcd.secretName=NAME
{{- end -}}

{{- /*
The volume of a StatefulSet cannot be changed. The API server says so as well, but not what to do.
*/ -}}
{{- define "ksit.validate.volume" -}}
{{- $persistence := .Values.persistence -}}
{{- $statefulSet := lookup "apps/v1" "StatefulSet" .Release.Namespace "ksit-server" | default dict -}}
{{- if and $persistence.enabled (not $persistence.existingClaim) -}}
{{- range dig "spec" "volumeClaimTemplates" list $statefulSet -}}
{{- $size := dig "spec" "resources" "requests" "storage" "" . -}}
{{- if ne $size (toString $persistence.size) -}}
{{- fail (printf (include "ksit.validate.size" $) $persistence.size $size $.Release.Namespace $persistence.size $.Release.Namespace) -}}
{{- end -}}
{{- $class := dig "spec" "storageClassName" "" . -}}
{{- if ne $class (trimAll "-" $persistence.storageClass) -}}
{{- fail (printf "\n\npersistence.storageClass is %q, and the volume of ksit-server was made with %q. To move it, take a snapshot (`ksit etcd snapshot`, docs/etcd.md), uninstall, install with the other class and restore." $persistence.storageClass $class) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A format: the size that is asked for, the present one, the namespace, the size, the namespace. */ -}}
{{- define "ksit.validate.size" }}

persistence.size is %s, and the StatefulSet ksit-server was made with %s, which cannot be changed. To grow the volume,
where its class can:
  1. kubectl patch pvc data-ksit-server-0 -n %s --type=merge -p '{"spec":{"resources":{"requests":{"storage":"%s"}}}}'
  2. kubectl delete statefulset ksit-server -n %s --cascade=orphan
  3. helm upgrade again: the pod and its data stay.
{{- end -}}
