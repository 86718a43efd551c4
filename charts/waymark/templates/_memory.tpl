{{/* The JavaScript heap in MiB: five eighths of the memory limit, the rest is for buffers, TLS and code; nothing without
     a limit, or with one that is not written in Mi, Gi, M or G. */}}
{{- define "waymark.heap" -}}
{{- $limit := dig "limits" "memory" "" (default (dict) .Values.resources) | toString -}}
{{- if regexMatch "^[0-9]+(Mi|Gi|M|G)$" $limit -}}
{{- $number := regexFind "^[0-9]+" $limit | int64 -}}
{{- $unit := regexFind "[A-Z]i?$" $limit -}}
{{- $mebibytes := $number -}}
{{- if hasPrefix "G" $unit -}}{{- $mebibytes = mul $number 1024 -}}{{- end -}}
{{- if not (hasSuffix "i" $unit) -}}{{- $mebibytes = div (mul $mebibytes 15) 16 -}}{{- end -}}
{{- div (mul $mebibytes 5) 8 -}}
{{- end -}}
{{- end -}}
