{{- define "vault-eso-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "vault-eso-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "vault-eso-exporter.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "vault-eso-exporter.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The full name with a suffix, cut so that both fit into a label: (dict "root" $ "suffix" …) */}}
{{- define "vault-eso-exporter.named" -}}
{{- printf "%s%s" (include "vault-eso-exporter.fullname" .root | trunc (int (sub 63 (len .suffix))) | trimSuffix "-") .suffix -}}
{{- end -}}

{{- define "vault-eso-exporter.selector" -}}
app.kubernetes.io/name: {{ include "vault-eso-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels of our pods, wherever they run. */}}
{{- define "vault-eso-exporter.podSelector" -}}
{{- if eq .Values.mode "sidecar" }}{{ toYaml .Values.sidecar.podLabels }}{{ else }}{{ include "vault-eso-exporter.selector" . }}{{ end -}}
{{- end -}}

{{/* metadata of an object: (dict "root" $ "labels" … "annotations" … "namespace" … "suffix" …); cluster-wide ones have "cluster" true */}}
{{- define "vault-eso-exporter.metadata" -}}
{{- $root := .root -}}
name: {{ include "vault-eso-exporter.named" (dict "root" $root "suffix" (default "" .suffix)) }}
{{- if not .cluster }}
namespace: {{ default $root.Release.Namespace .namespace }}
{{- end }}
labels:
  {{- $own := dict "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service "app.kubernetes.io/part-of" "vault-eso-exporter" }}
  {{- $selector := include "vault-eso-exporter.selector" $root | fromYaml }}
  {{- toYaml (mergeOverwrite (dict) $root.Values.labels (default dict .labels) $own $selector) | nindent 2 }}
{{- with mergeOverwrite (dict) $root.Values.annotations (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "vault-eso-exporter.account" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- .Values.sidecar.serviceAccountName -}}
{{- else if .Values.serviceAccount.create -}}
{{- default (include "vault-eso-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "vault-eso-exporter.image" -}}
{{- $image := .Values.image.repository -}}
{{- with .Values.image.registry }}{{ $image = printf "%s/%s" (trimSuffix "/" .) $image }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $image .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "vault-eso-exporter.scheme" -}}
{{- if .Values.serviceMonitor.scheme }}{{ .Values.serviceMonitor.scheme }}{{ else if .Values.web.tlsSecret }}https{{ else }}http{{ end -}}
{{- end -}}

{{- define "vault-eso-exporter.configMap" -}}
{{- default (include "vault-eso-exporter.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* "yes" where the cluster knows the Prometheus operator's kinds. */}}
{{- define "vault-eso-exporter.monitoring" -}}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}yes{{ end -}}
{{- end -}}

{{/* Where Secrets are read: "all" (of the namespaces that are watched), or the names of some, joined by commas, or nothing. */}}
{{- define "vault-eso-exporter.secrets" -}}
{{- if .Values.rbac.secrets -}}
{{- if ne (dig "secrets" "mode" "metadata" .Values.config) "off" -}}
all
{{- else -}}
{{- $on := list -}}
{{- range $name, $mode := dig "secrets" "namespaces" dict .Values.config -}}
{{- if and (ne $mode "off") (or (not $.Values.namespaces) (has $name $.Values.namespaces)) }}{{ $on = append $on $name }}{{ end -}}
{{- end -}}
{{- join "," $on -}}
{{- end -}}
{{- end -}}
{{- end -}}
