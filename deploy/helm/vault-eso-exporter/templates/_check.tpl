{{/* What the schema cannot say: values that do not go together. Each is refused with a sentence that says what to do. */}}
{{- define "vault-eso-exporter.check" -}}
{{- $v := .Values -}}
{{- $web := default dict $v.config.web -}}
{{- $kubernetes := default dict $v.config.kubernetes -}}
{{- if and $v.existingConfigMap $v.config -}}
{{- fail "existingConfigMap and config: the file comes from one of them; empty the other." -}}
{{- end -}}
{{- if and $v.web.configSecret $v.web.tlsSecret -}}
{{- fail "web.configSecret and web.tlsSecret: name the certificate in the file of web.configSecret (mount it with extraVolumes), and empty web.tlsSecret." -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: every pod would be scraped twice; set one of them to false." -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled (not $v.service.create) -}}
{{- fail "serviceMonitor.enabled needs service.create: set it to true, or use podMonitor.enabled." -}}
{{- end -}}
{{- if not (or $v.serviceMonitor.honorLabels $v.serviceMonitor.honorLabelsForcedOff) -}}
{{- fail "serviceMonitor.honorLabels false would rename our label namespace to exported_namespace, and alerts and dashboards would name the exporter's namespace: set it to true, or set honorLabelsForcedOff to true where your Prometheus overrides it." -}}
{{- end -}}
{{- if and $v.podDisruptionBudget.enabled (ne (toString $v.podDisruptionBudget.minAvailable) "") (ne (toString $v.podDisruptionBudget.maxUnavailable) "") -}}
{{- fail "podDisruptionBudget: Kubernetes takes minAvailable or maxUnavailable; empty one of them." -}}
{{- end -}}
{{- if eq $v.mode "sidecar" -}}
{{- if not $v.sidecar.serviceAccountName -}}
{{- fail "mode sidecar: sidecar.serviceAccountName must name the account of ESO's controller, to which the role is bound." -}}
{{- end -}}
{{- range $key := list "networkPolicy" "podDisruptionBudget" -}}
{{- if (index $v $key).enabled -}}
{{- fail (printf "mode sidecar: %s.enabled would also bind ESO's own pod; set it to false, and use what ESO's chart offers." $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey $web "listen_address" -}}
{{- fail "config.web.listen_address: set host and port instead, which the Service and the probes follow." -}}
{{- end -}}
{{- if hasKey $web "config_file" -}}
{{- fail "config.web.config_file: set web.configSecret or web.tlsSecret instead, which also mount it." -}}
{{- end -}}
{{- if hasKey $kubernetes "namespaces" -}}
{{- fail "config.kubernetes.namespaces: set namespaces instead, which also makes the Roles in them." -}}
{{- end -}}
{{- range $key := list "kubeconfig" "context" -}}
{{- if hasKey $kubernetes $key -}}
{{- fail (printf "config.kubernetes.%s: in a pod the exporter uses the pod's own account; leave it out." $key) -}}
{{- end -}}
{{- end -}}
{{- if and (not $v.rbac.secrets) (has "metadata" (append (values (dig "secrets" "namespaces" dict $v.config)) (dig "secrets" "mode" "" $v.config))) -}}
{{- fail "config.secrets: the mode metadata needs rbac.secrets: set it to true, or leave the mode out." -}}
{{- end -}}
{{- if and $v.namespaces $kubernetes.namespace_selector -}}
{{- fail "namespaces and config.kubernetes.namespace_selector: choose one; a selector needs the whole cluster's roles." -}}
{{- end -}}
{{- if and $v.namespaces $v.rbac.extraRules (not $v.rbac.clusterScoped) -}}
{{- fail "rbac.extraRules belong to the ClusterRole: set rbac.clusterScoped to true, or put your own Roles into extraObjects." -}}
{{- end -}}
{{- range $v.extraArgs -}}
{{- if regexMatch "^--(config.file|kubeconfig|context|web.listen-address|web.config.file|namespaces)(=|$)" . -}}
{{- fail (printf "extraArgs: %s is set by the chart; use the values config, host and port, web, or namespaces." .) -}}
{{- end -}}
{{- if regexMatch "^--secrets.mode(=|$)" . -}}
{{- fail (printf "extraArgs: %s would not change the role; use rbac.secrets or config.secrets.mode." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
