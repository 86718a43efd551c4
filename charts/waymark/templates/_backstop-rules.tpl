{{/* What a replica may do about the backstop, where there is one. */}}
{{- define "waymark.backstopRules" -}}
# Whether the admission policies are there. Who could write one could mutate anything: Waymark cannot.
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingadmissionpolicies]
  resourceNames: [waymark, waymark-updates, waymark-sidecar, waymark-namespaces, waymark-status, waymark-mesh, waymark-mesh-sidecar, waymark-table]
  verbs: [get]
{{- if eq .Values.backstop.mode "full" }}
# The table that some of them read. A creation cannot be limited to a name.
- apiGroups: [egress.waymark.dev]
  resources: [meshtables]
  verbs: [create]
- apiGroups: [egress.waymark.dev]
  resources: [meshtables]
  resourceNames: [waymark]
  verbs: [get, update]
{{- end }}
{{- end -}}
