{{/*
config.yaml as churnstream reads it. Values are written as JSON, in which a number stays as it is: as
YAML 52428800 would become 5.24288e+07.
*/}}
{{- define "churnstream.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $own := dict
  "metrics" (dict "port" 9100 "host" "0.0.0.0")
  "dashboard" (dict "port" 8090 "host" "0.0.0.0" "scrape" (include "churnstream.metricsAddresses" .)) -}}
{{- if .Values.customers -}}
{{- $_ := set $own "customers" (dict "schema_file" "/etc/churnstream/customers.yaml") -}}
{{- end -}}
{{- range $section, $values := mergeOverwrite $config $own -}}
{{ $section }}:{{ if not $values }} {}{{ end }}
{{- range $name, $value := $values }}
  {{ $name }}: {{ toJson $value }}
{{- end }}
{{ end -}}
{{- end }}

{{/* Where the live page finds the metrics of each consumer. */}}
{{- define "churnstream.metricsAddresses" -}}
{{- $name := printf "%s-consumer" (include "churnstream.fullname" .) -}}
{{- $addresses := list -}}
{{- range $index := until (include "churnstream.maxReplicas" . | int) -}}
{{- $addresses = append $addresses (printf "%s-%d.%s:9100" $name $index $name) -}}
{{- end -}}
{{ join "," $addresses }}
{{- end }}

{{/* A pod starts again when its settings change. */}}
{{- define "churnstream.checksum" -}}
{{ printf "%s\n%s" (include "churnstream.config" .) .Values.customers | sha256sum }}
{{- end }}

{{/* Secret settings of some sections, as variables. A list: root, section, section …. */}}
{{- define "churnstream.secretEnv" -}}
{{- $sections := rest . -}}
{{- range $setting, $from := (first .).Values.secrets }}
{{- $section := splitList "." $setting | first }}
{{- if has $section $sections }}
- name: CHURNSTREAM_{{ $setting | replace "." "__" | upper }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.name }}
      key: {{ $from.key }}
{{- end }}
{{- end }}
{{- with (first .).Values }}
{{- if eq .models.from "mlflow" }}
- name: MLFLOW_TRACKING_URI
  value: {{ .models.mlflow.trackingUri | quote }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}
