{{/*
A Grafana dashboard as JSON: for every query a panel over time, and one with the distribution, each with the query
itself, its quantiles and what it was before.
*/}}
{{- define "kube-prometheus-stack.dashboard" -}}
{{- $panels := list }}
{{- $datasource := dict "type" "prometheus" "uid" "${datasource}" }}
{{- range $i, $query := .dashboard.queries }}
{{- range $j, $type := list "timeseries" "heatmap" }}
{{- $targets := list }}
{{- range $k, $form := list "%s" "quantile(0.5, %s)" "quantile(0.9, %s)" "quantile(0.99, %s)" "max(%s)" "avg(%s)" "topk(5, %s)" "bottomk(5, %s)" "stddev(%s)" "sum(%s)" }}
{{- $key := printf "%s %s %s %d" $.id $query.title $type $k | sha256sum }}
{{- $targets = append $targets (dict "datasource" $datasource "editorMode" "code" "exemplar" false "expr" (printf $form $query.expr) "format" "time_series" "hide" (gt $k 0) "intervalFactor" 2 "key" (printf "Q-%s" $key) "legendFormat" "__auto" "refId" (printf "Q%d" $k)) }}
{{- end }}
{{- $panel := dict
      "id" (add (mul $i 2) $j 1)
      "title" (printf "%s (%s)" $query.title $type)
      "type" $type
      "datasource" $datasource
      "gridPos" (dict "h" 8 "w" 12 "x" (mul $j 12) "y" (mul $i 8))
      "fieldConfig" (dict
        "defaults" (dict
          "color" (dict "mode" "palette-classic")
          "custom" (dict "drawStyle" "line" "fillOpacity" 10 "lineInterpolation" "linear" "lineWidth" 1 "pointSize" 5 "showPoints" "never" "spanNulls" false "stacking" (dict "group" "A" "mode" "none") "thresholdsStyle" (dict "mode" "off"))
          "mappings" list
          "min" 0
          "thresholds" (dict "mode" "absolute" "steps" (list (dict "color" "green" "value" nil) (dict "color" "red" "value" 80)))
          "unit" ($query.unit | default "short"))
        "overrides" list)
      "options" (dict
        "legend" (dict "calcs" (list "mean" "lastNotNull" "max") "displayMode" "table" "placement" "right" "showLegend" true)
        "tooltip" (dict "mode" "multi" "sort" "desc"))
      "targets" $targets }}
{{- $panels = append $panels $panel }}
{{- end }}
{{- end }}
{{- $variables := list
      (dict "name" "datasource" "type" "datasource" "query" "prometheus" "hide" 0 "label" "Data source")
      (dict "name" "cluster" "type" "query" "datasource" $datasource "query" "label_values(up, cluster)" "refresh" 2 "sort" 1)
      (dict "name" "namespace" "type" "query" "datasource" $datasource "query" "label_values(kube_namespace_status_phase, namespace)" "refresh" 2 "sort" 1) }}
{{- dict
      "title" .dashboard.title
      "uid" (.id | sha1sum | trunc 16)
      "tags" (list "kubernetes-mixin")
      "editable" false
      "schemaVersion" 38
      "refresh" "10s"
      "time" (dict "from" "now-1h" "to" "now")
      "timezone" "utc"
      "templating" (dict "list" $variables)
      "annotations" (dict "list" list)
      "panels" $panels
    | toPrettyJson }}
{{- end -}}
