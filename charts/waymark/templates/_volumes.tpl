{{/* What the pods mount. */}}
{{- define "waymark.volumes" -}}
- name: config
  configMap:
    name: {{ include "waymark.fullname" . }}
- name: token
  projected:
    defaultMode: 292 # octal 0444, which YAML 1.2 would read as a decimal
    sources:
      - serviceAccountToken:
          path: token
          # The API server makes one of 3607, which the kubelet asks for elsewhere, last for a year.
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items:
            - path: namespace
              fieldRef: {fieldPath: metadata.namespace}
{{- if ne .Values.certificates.mode "self" }}
- name: tls
  secret:
    secretName: {{ include "waymark.certificateSecret" . }}
    defaultMode: 292 # octal 0444, which YAML 1.2 would read as a decimal
{{- end }}
{{- with .Values.tls.clientCaConfigMap }}
- name: client-ca
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end -}}
