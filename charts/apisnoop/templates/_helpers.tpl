{{/* What every object's name begins with: the release's, with "apisnoop" in it. */}}
{{- define "apisnoop.fullname" -}}
{{- if contains "apisnoop" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-apisnoop" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels that select the pods of one component: (list . "agent"). */}}
{{- define "apisnoop.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: apisnoop
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of every object: (list . "agent"). */}}
{{- define "apisnoop.labels" -}}
{{- $root := index . 0 -}}
{{ include "apisnoop.selector" . }}
app.kubernetes.io/part-of: apisnoop
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An image: (list . .Values.image.core). */}}
{{- define "apisnoop.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What containers that need no privilege get: all but the agent. */}}
{{- define "apisnoop.hardened" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsGroup: 65532
runAsNonRoot: true
runAsUser: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Who a container is. */}}
{{- define "apisnoop.identity" -}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- end }}

{{/* Whether pods may be given our own authority: "true" or nothing. */}}
{{- define "apisnoop.bundles" -}}
{{- if and .Values.webhook.enabled (ne .Values.certificate.mode "csr") }}true{{ end }}
{{- end }}

{{- define "apisnoop.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Placement of a pod: (list . .Values.agent). */}}
{{- define "apisnoop.placement" -}}
{{- $place := index . 1 -}}
{{- with $place.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $place.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $place.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
