{{/* Rules without what is switched off: (dict "rules" … "without" (list of resources)). Empty when none is left. */}}
{{- define "vault-eso-exporter.rules" -}}
{{- $without := .without }}
{{- range .rules }}
{{- $resources := list }}
{{- range .resources }}{{ if not (has . $without) }}{{ $resources = append $resources . }}{{ end }}{{ end }}
{{- if $resources }}
- apiGroups: {{ toJson .apiGroups }}
  resources: {{ toJson $resources }}
  verbs: {{ toJson .verbs }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A binding: (dict "root" $ "kind" ClusterRole|Role "name" … "metadata" …) */}}
{{- define "vault-eso-exporter.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- .metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ (.metadata | fromYaml).name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "vault-eso-exporter.account" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
