{{/* config.reach, as the configuration reads it. */}}
{{- define "waymark.reach" -}}
{{- $reach := default "report" .Values.config.reach -}}
{{- if and (eq $reach "enforce") (not .Values.audit.enabled) -}}
{{- fail "config.reach: enforce needs audit.enabled: the replica that audits keeps the AuthorizationPolicies" -}}
{{- end -}}
{{- $reach -}}
{{- end -}}

{{/* What the auditor may do with AuthorizationPolicies: see whether the waypoints refuse what policies do not allow, and with
     reach: enforce keep those by which they do. */}}
{{- define "waymark.reachRules" -}}
{{- $reach := include "waymark.reach" . -}}
{{- if ne $reach "off" -}}
# Whether the waypoints refuse what policies do not allow; with reach: enforce, the policies by which they do.
- apiGroups: [security.istio.io]
  resources: [authorizationpolicies]
  verbs: [list, watch{{ if eq $reach "enforce" }}, create, update, patch, delete{{ end }}]
{{- end -}}
{{- end -}}
