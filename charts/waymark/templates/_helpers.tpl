{{/* A Service's name is a DNS label that begins with a letter; a release's may have dots and begin with a digit. */}}
{{- define "waymark.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimAll "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $full | replace "." "-" | regexFind "[a-z].*" | trunc 48 | trimAll "-" -}}
{{- end -}}
{{- end -}}

{{- define "waymark.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "waymark.labels" -}}
{{ include "waymark.selector" . }}
app.kubernetes.io/version: {{ include "waymark.labelValue" .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "waymark.labelValue" (printf "%s-%s" .Chart.Name .Chart.Version) }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A text as a label's value: a version may have build metadata (+…), which Flux adds to a chart that an OCIRepository
     brings, and which no label may carry. */}}
{{- define "waymark.labelValue" -}}
{{- . | replace "+" "_" | trunc 63 | trimAll "-_." -}}
{{- end -}}

{{/* The annotations of an object: include "waymark.annotations" (dict "root" . "own" MAP); nothing where there are none. */}}
{{- define "waymark.annotations" -}}
{{- $all := mergeOverwrite (dict) (deepCopy (default (dict) .root.Values.commonAnnotations)) (deepCopy (default (dict) .own)) -}}
{{- with $all -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "waymark.serviceAccount" -}}
{{- default (include "waymark.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* The Secrets to pull with: the chart's own, then global ones, each a name or {name: …}. */}}
{{- define "waymark.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (default (list) .Values.image.pullSecrets) (default (list) (.Values.global).imagePullSecrets) -}}
{{- $names = append $names (kindIs "string" . | ternary . (dig "name" "" (kindIs "map" . | ternary . (dict)))) -}}
{{- end -}}
{{- with uniq (compact $names) -}}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The selector that keeps namespaces from the webhooks. Only the three that Kubernetes makes: a tenant may be able to
     create kube-anything, and must not thereby escape. */}}
{{- define "waymark.judgedNamespaces" -}}
{{- $names := list "kube-system" "kube-public" "kube-node-lease" .Release.Namespace -}}
{{- $names = concat $names (default (list) .Values.webhooks.excludedNamespaces) (default (list) .Values.config.exemptNamespaces) -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- toYaml (uniq $names) | nindent 6 }}
{{- end -}}

{{/* How the API server reaches a path: include "waymark.clientConfig" (dict "root" . "path" "/validate") */}}
{{- define "waymark.clientConfig" -}}
{{- with .root.Values.webhooks.url -}}
url: {{ printf "%s%s" (trimSuffix "/" .) $.path }}
{{- else -}}
service:
  name: {{ include "waymark.fullname" .root }}
  namespace: {{ .root.Release.Namespace }}
  path: {{ .path }}
  port: {{ .root.Values.service.port }}
{{- end }}
{{- if and (eq .root.Values.certificates.mode "provided") .root.Values.certificates.provided.caBundle }}
caBundle: {{ .root.Values.certificates.provided.caBundle }}
{{- end }}
{{- end -}}

{{- define "waymark.webhookAnnotations" -}}
{{- $annotations := mergeOverwrite (dict) (deepCopy (default (dict) .Values.commonAnnotations)) (deepCopy (default (dict) .Values.webhooks.annotations)) -}}
{{- if eq .Values.certificates.mode "cert-manager" -}}
{{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" .Release.Namespace (include "waymark.fullname" .)) -}}
{{- end -}}
{{- if eq (include "waymark.wantedFailurePolicy" .) "Ignore" -}}
{{- $_ := set $annotations "egress.waymark.dev/failure-policy" "Ignore" -}}
{{- end -}}
{{- with $annotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "waymark.image" -}}
{{- with default (.Values.global).imageRegistry .Values.image.registry -}}
{{ trimSuffix "/" . }}/
{{- end -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default (.Chart.AppVersion | replace "+" "_") .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "waymark.certificateSecret" -}}
{{- if eq .Values.certificates.mode "provided" -}}
{{- required "certificates.provided.secretName must name the Secret with tls.crt and tls.key" .Values.certificates.provided.secretName -}}
{{- else -}}
{{ include "waymark.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* What serve is told. */}}
{{- define "waymark.arguments" -}}
{{- $_ := include "waymark.reach" . -}}
- serve
- --config=/etc/waymark/config.yaml
- --listen={{ .Values.listenHost }}:{{ .Values.ports.webhook }}
- --operations={{ .Values.listenHost }}:{{ .Values.ports.operations }}
- --certificates={{ eq .Values.certificates.mode "self" | ternary "self" "/etc/waymark-tls" }}
- --service={{ include "waymark.fullname" . }}
- --secret={{ include "waymark.fullname" . }}-ca
- --webhooks={{ include "waymark.fullname" . }}
{{- if ne (include "waymark.wantedFailurePolicy" .) "Ignore" }}
- --bootstrap
{{- end }}
{{- if .Values.docs.enabled }}
- --docs=/app/site
{{- end }}
{{- if .Values.audit.enabled }}
- --audit
{{- if ne .Values.audit.backfill "off" }}
- --backfill={{ .Values.audit.backfill }}
{{- end }}
{{- end }}
{{- if ne .Values.backstop.mode "off" }}
- --backstop={{ .Values.backstop.mode }}
{{- end }}
- --tls-min-version={{ .Values.tls.minVersion }}
{{- if .Values.tls.clientCaConfigMap }}
- --client-ca=/etc/waymark-client-ca/ca.crt
{{- range .Values.tls.clientNames }}
- {{ printf "--client-name=%s" . | quote }}
{{- end }}
{{- end }}
{{- with .Values.webhooks.url }}
- --name={{ (urlParse .).hostname }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}
