{{/* the exporter's arguments, a YAML list */}}
{{- define "vault-eso-exporter.args" -}}
- serve
- --config.file=/etc/vault-eso-exporter/config/config.yaml
- --web.listen-address={{ .Values.host }}:{{ .Values.port }}
{{- with .Values.namespaces }}
- --namespaces={{ join "," . }}
{{- end }}
{{- if not .Values.rbac.secrets }}
- --secrets.mode=off
{{- end }}
{{- if .Values.web.configSecret }}
- --web.config.file=/etc/vault-eso-exporter/web/{{ .Values.web.configKey }}
{{- else if .Values.web.tlsSecret }}
- --web.config.file=/etc/vault-eso-exporter/web/web.yml
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* a probe: (dict "root" $ "path" … "numbers" …) */}}
{{- define "vault-eso-exporter.probe" -}}
{{- if include "vault-eso-exporter.loopback" .root }}
# Nobody outside the pod can ask, not even the kubelet.
exec:
  command: [/app/bin/python, /app/bin/healthcheck, {{ .path }}]
{{- else if .root.Values.probes.tcp }}
tcpSocket:
  port: exporter
{{- else }}
httpGet:
  path: {{ .path }}
  port: exporter
  scheme: {{ include "vault-eso-exporter.scheme" .root | upper }}
  {{- with .root.Values.probes.httpHeaders }}
  httpHeaders:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .numbers }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* "yes" where only the pod itself can reach the exporter. */}}
{{- define "vault-eso-exporter.loopback" -}}
{{- if has .Values.host (list "127.0.0.1" "localhost" "[::1]") }}yes{{ end -}}
{{- end -}}

{{/* The container. As a sidecar it has no readiness probe: our trouble must not make the operator's pod unready. */}}
{{- define "vault-eso-exporter.container" -}}
name: {{ if eq .Values.mode "sidecar" }}vault-eso-exporter{{ else }}exporter{{ end }}
image: {{ include "vault-eso-exporter.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "vault-eso-exporter.args" . | nindent 2 }}
{{- if or .Values.env (include "vault-eso-exporter.loopback" .) }}
env:
  {{- if include "vault-eso-exporter.loopback" . }}
  - name: VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS
    value: {{ printf "%s:%d" .Values.host (int .Values.port) | quote }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: exporter
    containerPort: {{ .Values.port }}
livenessProbe:
  {{- include "vault-eso-exporter.probe" (dict "root" . "path" "/-/healthy" "numbers" .Values.probes.liveness) | trim | nindent 2 }}
{{- if eq .Values.mode "standalone" }}
readinessProbe:
  {{- include "vault-eso-exporter.probe" (dict "root" . "path" "/-/ready" "numbers" .Values.probes.readiness) | trim | nindent 2 }}
{{- end }}
{{- with .Values.probes.startup }}
startupProbe:
  {{- include "vault-eso-exporter.probe" (dict "root" $ "path" "/-/healthy" "numbers" .) | trim | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: vault-eso-exporter-config
    mountPath: /etc/vault-eso-exporter/config
    readOnly: true
  {{- if or .Values.web.configSecret .Values.web.tlsSecret }}
  - name: vault-eso-exporter-web
    mountPath: /etc/vault-eso-exporter/web
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "vault-eso-exporter.volumes" -}}
- name: vault-eso-exporter-config
  configMap:
    name: {{ include "vault-eso-exporter.configMap" . }}
{{- if .Values.web.configSecret }}
- name: vault-eso-exporter-web
  secret:
    secretName: {{ .Values.web.configSecret }}
    defaultMode: {{ include "vault-eso-exporter.mode" . }}
{{- else if .Values.web.tlsSecret }}
- name: vault-eso-exporter-web
  projected:
    defaultMode: {{ include "vault-eso-exporter.mode" . }}
    sources:
      - configMap:
          name: {{ include "vault-eso-exporter.named" (dict "root" . "suffix" "-web") }}
      - secret:
          name: {{ .Values.web.tlsSecret }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Who may read mounted Secrets: the group that fsGroup gives, and everybody of the pod where the pod is not ours. */}}
{{- define "vault-eso-exporter.mode" -}}
{{- if eq .Values.mode "sidecar" }}0444{{ else }}0440{{ end -}}
{{- end -}}
