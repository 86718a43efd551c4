{{/* With the whole backstop, the API server refuses what must never pass by itself: while Waymark is away, everything else
     passes, and the auditor tells of it. */}}
{{- define "waymark.wantedFailurePolicy" -}}
{{- $policy := .Values.webhooks.failurePolicy -}}
{{- and (eq $policy "Bootstrap") (eq .Values.backstop.mode "full") | ternary "Ignore" $policy -}}
{{- end -}}

{{/* The failure policy of a validating webhook: include "waymark.failurePolicy" (dict "root" . "name" NAME). With
     Bootstrap it is Waymark's to raise; an upgrade keeps what it raised, webhook by webhook: one that an upgrade brings
     has no CA bundle yet. While the glass is broken, both are Ignore. `lookup` finds nothing in `helm template`, so a rendering depends on nothing but the values. */}}
{{- define "waymark.failurePolicy" -}}
{{- $policy := include "waymark.wantedFailurePolicy" .root -}}
{{- if and (ne $policy "Ignore") (lookup "v1" "ConfigMap" .root.Release.Namespace "waymark-break-glass") -}}
{{- $policy = "Ignore" -}}
{{- else if eq $policy "Bootstrap" -}}
{{- $policy = "Ignore" -}}
{{- $live := lookup "admissionregistration.k8s.io/v1" "ValidatingWebhookConfiguration" "" (include "waymark.fullname" .root) -}}
{{- range (default (list) $live.webhooks) -}}
{{- if and (eq .name $.name) (eq .failurePolicy "Fail") -}}
{{- $policy = "Fail" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $policy -}}
{{- end -}}
