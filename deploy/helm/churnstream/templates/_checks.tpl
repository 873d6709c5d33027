{{/* What a schema of values cannot say, in words; each ends the installation before it begins. */}}
{{- define "churnstream.checks" -}}
{{- with .Values -}}
{{- if not (.config.kafka | default dict).brokers -}}
{{- fail "config.kafka.brokers is not set; set it to HOST:PORT of your brokers, comma-separated" -}}
{{- end -}}
{{- $replicas := include "churnstream.maxReplicas" $ | int -}}
{{- $partitions := (.config.topics | default dict).partitions | default 3 | int -}}
{{- if gt $replicas $partitions -}}
{{- fail (printf "%d consumers for %d partitions: one without a partition is never ready; set config.topics.partitions to what the input topic has, or fewer consumers" $replicas $partitions) -}}
{{- end -}}
{{- if and .consumer.scaling.enabled (gt (int .consumer.scaling.minReplicas) (int .consumer.scaling.maxReplicas)) -}}
{{- fail "consumer.scaling.minReplicas is more than maxReplicas" -}}
{{- end -}}
{{- if and .dashboard.enabled (not (hasKey .secrets "dashboard.token")) -}}
{{- fail "the live page needs a token that you know: set secrets to {dashboard.token: {name: SECRET, key: KEY}}" -}}
{{- end -}}
{{- include "churnstream.checkSecrets" $ -}}
{{- include "churnstream.checkModels" $ -}}
{{- include "churnstream.checkScaling" $ -}}
{{- end -}}
{{- end }}

{{/* A ConfigMap is no place for a password. */}}
{{- define "churnstream.checkSecrets" -}}
{{- range $property, $_ := (.Values.config.kafka | default dict).client -}}
{{- if regexMatch "password|passphrase|secret|key\\.pem$|oauthbearer\\.config" $property -}}
{{- fail (printf "config.kafka.client: %s is secret; put it into a Secret, as JSON, and name that by secrets: {kafka.client: {name: SECRET, key: KEY}}" $property) -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "//[^/]*@" ((.Values.config.schema_registry | default dict).url | default "") -}}
{{- fail "config.schema_registry.url holds a password; put the address into a Secret, and name that by secrets: {schema_registry.url: {name: SECRET, key: KEY}}" -}}
{{- end -}}
{{- end }}

{{- define "churnstream.checkModels" -}}
{{- with .Values -}}
{{- $registered := hasPrefix "models:/" ((.config.model | default dict).path | default "") -}}
{{- if and (eq .models.from "mlflow") (not (and $registered .models.mlflow.trackingUri)) -}}
{{- fail "models.from is mlflow: set models.mlflow.trackingUri, and config.model.path to models:/NAME@ALIAS" -}}
{{- end -}}
{{- if and $registered (ne .models.from "mlflow") -}}
{{- fail "config.model.path is an address in MLflow's registry: set models.from to mlflow" -}}
{{- end -}}
{{- if and (eq .models.from "image") (not .models.image.reference) -}}
{{- fail "models.from is image: set models.image.reference" -}}
{{- end -}}
{{- if and .train.enabled (eq .models.from "image") -}}
{{- fail "an image cannot be trained into: set train.enabled to false, or models.from to claim or mlflow" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "churnstream.checkScaling" -}}
{{- with .Values -}}
{{- if .consumer.scaling.enabled -}}
{{- if and .customers (not (and (.config.topics | default dict).input (.config.consumer | default dict).group)) -}}
{{- fail "KEDA must know where the customers of your schema are: set config.topics.input and config.consumer.group" -}}
{{- end -}}
{{- $secured := or (hasKey .secrets "kafka.client") (hasKey ((.config.kafka | default dict).client | default dict) "security.protocol") -}}
{{- if and $secured (not .consumer.scaling.authentication) -}}
{{- fail "KEDA asks the brokers itself, and they want a password or TLS: set consumer.scaling.authentication to a TriggerAuthentication" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
