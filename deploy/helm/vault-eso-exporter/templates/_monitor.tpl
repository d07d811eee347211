{{/* What a ServiceMonitor's and a PodMonitor's endpoint have in common, but for the port. */}}
{{- define "vault-eso-exporter.endpoint" -}}
{{- $monitor := .Values.serviceMonitor -}}
path: /metrics
scheme: {{ include "vault-eso-exporter.scheme" . }}
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
honorLabels: {{ $monitor.honorLabels }}
{{- range $key := list "tlsConfig" "basicAuth" "authorization" }}
{{- with index $monitor $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
relabelings:
  # A sharded Prometheus: every shard scrapes us, else an alert for our absence fires in each shard that does not.
  - targetLabel: __tmp_disable_sharding
    replacement: "true"
  {{- if $monitor.honorLabelsForcedOff }}
  # Prometheus overrides honorLabels: without the target's own labels of these names, ours are not renamed to exported_….
  - action: labeldrop
    regex: namespace|pod|service|endpoint|container
  {{- end }}
  {{- with $monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "vault-eso-exporter.monitorMetadata" -}}
{{- $monitor := .Values.serviceMonitor -}}
{{- include "vault-eso-exporter.metadata" (dict "root" . "labels" $monitor.labels "annotations" $monitor.annotations "namespace" $monitor.namespace) -}}
{{- end -}}

{{/* Where and what a monitor selects: (dict "root" $ "labels" YAML) */}}
{{- define "vault-eso-exporter.monitorSelects" -}}
selector:
  matchLabels:
    {{- .labels | nindent 4 }}
namespaceSelector:
  matchNames:
    - {{ .root.Release.Namespace }}
{{- with .root.Values.serviceMonitor.sampleLimit }}
sampleLimit: {{ int64 . }}
{{- end }}
{{- end -}}
