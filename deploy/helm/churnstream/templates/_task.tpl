{{/* A pod that runs one command against the brokers. A dict: root, name, args, resources, restart. */}}
{{- define "churnstream.task" -}}
{{- $root := .root -}}
{{ include "churnstream.pod" $root }}
restartPolicy: {{ .restart }}
containers:
  - {{ include "churnstream.container" (dict "root" $root "name" .name "image" (include "churnstream.image" $root) "args" .args "resources" .resources) | nindent 4 | trim }}
    {{- with include "churnstream.secretEnv" (list $root "kafka" "schema_registry") | trim }}
    env:
      {{- . | nindent 6 }}
    {{- end }}
    volumeMounts:
      {{- include "churnstream.mounts" $root | nindent 6 }}
volumes:
  {{- include "churnstream.volumes" $root | nindent 2 }}
{{- end }}
