{{/* Names and labels. The dot is always the chart's root, but where it is said. */}}

{{- define "churnstream.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-churnstream" .Release.Name) (contains "churnstream" .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* What never changes while a release lives. A list: root, component. */}}
{{- define "churnstream.selector" -}}
app.kubernetes.io/name: churnstream
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* A list: root, component. */}}
{{- define "churnstream.labels" -}}
{{ include "churnstream.selector" . }}
{{- with index . 0 }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
{{- end }}

{{- define "churnstream.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Training needs libraries that the other image does not hold. */}}
{{- define "churnstream.trainImage" -}}
{{- $repository := printf "%s-train" .Values.image.repository -}}
{{ .Values.train.image.repository | default $repository }}:{{ .Values.train.image.tag | default .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "churnstream.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "churnstream.fullname" .) }}
{{- end }}

{{- define "churnstream.claim" -}}
{{ .Values.models.claim.name | default (printf "%s-models" (include "churnstream.fullname" .)) }}
{{- end }}

{{/* The highest number of consumers that there can be. */}}
{{- define "churnstream.maxReplicas" -}}
{{- with .Values.consumer -}}
{{ ternary .scaling.maxReplicas .replicas .scaling.enabled }}
{{- end -}}
{{- end }}
