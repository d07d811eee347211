{{/* The severity of each alerting rule after prometheusRule.alerts, as YAML: "Alert.severity as shipped" → severity, or none where
it is switched off. Refuses names that there are not, and two rules of one alert with one severity. (dict "groups" … "alerts" …) */}}
{{- define "vault-eso-exporter.severities" -}}
{{- $wanted := .alerts -}}
{{- $chosen := dict -}}
{{- $known := dict -}}
{{- range .groups -}}
{{- range .rules -}}
{{- if .alert -}}
{{- $key := printf "%s.%s" .alert .labels.severity -}}
{{- $change := mergeOverwrite (dict) (default dict (get $wanted .alert)) (default dict (get $wanted $key)) -}}
{{- $severity := default .labels.severity $change.severity -}}
{{- if eq (get $change "enabled" | toString) "false" }}{{ $severity = "none" }}{{ end -}}
{{- if ne $severity "none" -}}
{{- range $other, $taken := $chosen -}}
{{- if and (eq $taken $severity) (hasPrefix (printf "%s." (first (splitList "." $key))) $other) -}}
{{- fail (printf "prometheusRule.alerts: %s and %s would both be %s; switch one of them off (enabled: false)." $other $key $severity) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $chosen $key $severity -}}
{{- $_ := set (set $known .alert true) $key true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := $wanted -}}
{{- if not (hasKey $known $name) -}}
{{- fail (printf "prometheusRule.alerts.%s: there is no such alert; the names are: %s." $name (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- toYaml $chosen -}}
{{- end -}}

{{/* An expression whose ALERTS of a severity follow the alerts that changed theirs, so that parents go on silencing their children
(the same rule as in alerts/generate.py): (dict "expr" … "chosen" …) */}}
{{- define "vault-eso-exporter.expression" -}}
{{- $expr := .expr -}}
{{- $chosen := .chosen -}}
{{- range $found := regexFindAll `ALERTS\{[^}]*\}` $expr -1 -}}
{{- with regexFind `severity="[a-z]+"` $found -}}
{{- $old := regexReplaceAll `severity="([a-z]+)"` . "${1}" -}}
{{- $names := regexReplaceAll `^.*alertname=~?"([^"]*)".*$` $found "${1}" -}}
{{- $new := list -}}
{{- $meant := list -}}
{{- range $key, $severity := $chosen -}}
{{- if and (hasSuffix (printf ".%s" $old) $key) (regexMatch (printf `^(?:%s)$` $names) (first (splitList "." $key))) -}}
{{- $meant = append $meant $key -}}
{{- if ne $severity "none" }}{{ $new = append $new $severity | uniq }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $new = default (list $old) $new | sortAlpha -}}
{{- range $key, $severity := $chosen -}}
{{- if and (has $severity $new) (not (has $key $meant)) (regexMatch (printf `^(?:%s)$` $names) (first (splitList "." $key))) -}}
{{- fail (printf "prometheusRule.alerts: children are silenced by the %s rules of %s, and %s could no longer be told from them; switch it off (%s: {enabled: false}), or route by alertname instead." $old $names $key $key) -}}
{{- end -}}
{{- end -}}
{{- if ne (join "" $new) $old -}}
{{- $expr = replace $found (replace . (printf `severity=~"%s"` (join "|" $new)) $found) $expr -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $expr -}}
{{- end -}}
