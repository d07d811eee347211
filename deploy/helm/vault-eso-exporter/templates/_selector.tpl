{{/* What of a label selector these labels do not meet, as words; empty when they meet it: (dict "selector" … "labels" …).
A selector that is not there selects nothing, an empty one everything. */}}
{{- define "vault-eso-exporter.missed" -}}
{{- $labels := default dict .labels -}}
{{- if kindIs "invalid" .selector -}}
that Prometheus selects none at all
{{- else -}}
{{- $missed := list -}}
{{- range $key, $value := .selector.matchLabels -}}
{{- if ne (toString (get $labels $key)) $value }}{{ $missed = append $missed (printf "%s: %s" $key $value) }}{{ end -}}
{{- end -}}
{{- range .selector.matchExpressions -}}
{{- $has := hasKey $labels .key -}}
{{- $in := and $has (has (get $labels .key) .values) -}}
{{- if and (eq .operator "In") (not $in) }}{{ $missed = append $missed (printf "%s: one of %s" .key (join ", " .values)) }}{{ end -}}
{{- if and (eq .operator "NotIn") $in }}{{ $missed = append $missed (printf "%s: none of %s" .key (join ", " .values)) }}{{ end -}}
{{- if and (eq .operator "Exists") (not $has) }}{{ $missed = append $missed (printf "%s: any value" .key) }}{{ end -}}
{{- if and (eq .operator "DoesNotExist") $has }}{{ $missed = append $missed (printf "no %s" .key) }}{{ end -}}
{{- end -}}
{{- join "; " $missed -}}
{{- end -}}
{{- end -}}

{{/* One paragraph of NOTES on whether a Prometheus takes an object of ours:
(dict "prometheus" … "kind" "ServiceMonitor" "field" "serviceMonitor" "value" "serviceMonitor.labels" "labels" … "namespace" …) */}}
{{- define "vault-eso-exporter.taken" -}}
{{- $spec := .prometheus.spec -}}
{{- $who := printf "Prometheus %s/%s" .prometheus.metadata.namespace .prometheus.metadata.name -}}
{{- $missed := include "vault-eso-exporter.missed" (dict "selector" (get $spec (printf "%sSelector" .field)) "labels" .labels) -}}
{{- $there := "" -}}
{{- $namespaces := get $spec (printf "%sNamespaceSelector" .field) -}}
{{- if kindIs "invalid" $namespaces -}}
{{- if ne .prometheus.metadata.namespace .namespace }}{{ $there = printf "it looks only into its own namespace (or set %s: %s)" (.value | replace ".labels" ".namespace") .prometheus.metadata.namespace }}{{ end -}}
{{- else if $namespaces -}}
{{- $found := lookup "v1" "Namespace" "" .namespace -}}
{{- $there = include "vault-eso-exporter.missed" (dict "selector" $namespaces "labels" (dig "metadata" "labels" dict $found)) -}}
{{- end -}}
{{- if $missed }}
* {{ $who }} does NOT take our {{ .kind }}: its selector misses the label
    {{ $missed }}
  Set it under {{ .value }} and upgrade.
{{- else if $there }}
* {{ $who }} does NOT take our {{ .kind }}: namespace {{ .namespace }} misses
    {{ $there }}
{{- else }}
* {{ $who }} takes our {{ .kind }}.
{{- end }}
{{- end -}}
