{{/* What every pod has, whatever runs in it: PodSecurity "restricted", and nothing injected. */}}
{{- define "churnstream.pod" -}}
serviceAccountName: {{ include "churnstream.serviceAccount" . }}
automountServiceAccountToken: false
# Addresses of Services would stand among our settings: CHURNSTREAM_DASHBOARD_PORT=tcp://….
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "churnstream.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "churnstream.mounts" -}}
- name: config
  mountPath: /etc/churnstream
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- range .Values.secretFiles }}
- name: secret-{{ . }}
  mountPath: /secrets/{{ . }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "churnstream.volumes" -}}
- name: config
  configMap:
    name: {{ include "churnstream.fullname" . }}
- name: tmp
  emptyDir:
    sizeLimit: 1Gi
{{- range .Values.secretFiles }}
- name: secret-{{ . }}
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* The models, where they are files. */}}
{{- define "churnstream.modelVolume" -}}
{{- with .Values.models }}
{{- if eq .from "claim" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ include "churnstream.claim" $ }}
{{- else if eq .from "image" }}
- name: models
  image:
    reference: {{ .image.reference }}
    pullPolicy: {{ .image.pullPolicy }}
{{- end }}
{{- end }}
{{- end }}

{{/* A container that runs one command of churnstream. A dict: root, name, image, args, resources. */}}
{{- define "churnstream.container" -}}
name: {{ .name }}
image: {{ .image }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [churnstream]
args: {{ toJson (concat .args (list "--config" "/etc/churnstream/config.yaml")) }}
{{ include "churnstream.containerSecurity" . }}
resources:
  {{- toYaml .resources | nindent 2 }}
{{- end }}
