{{- define "tessera.name" -}}
{{- if contains "tessera" .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-tessera" .Release.Name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{/* What selects, and so never changes. */}}
{{- define "tessera.selector" -}}
app.kubernetes.io/name: tessera
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tessera.labels" -}}
{{ include "tessera.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tessera
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "tessera.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* TCP ports at which etcd answers, beside those of .ports: a list. */}}
{{- define "tessera.ports" -}}
{{- $ports := list }}
{{- range .ports }}{{ $ports = append $ports (int .) }}{{ end }}
{{- range $endpoint := include "tessera.fleet" .root | fromJson | dig "etcd" list }}
{{- $ports = append $ports (regexFind "[0-9]+$" $endpoint | int) }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}

{{/* Three of them, HOST:PORT. */}}
{{- define "tessera.keepers" -}}
{{- if .Values.keepers.external }}{{ .Values.keepers.external | toJson }}
{{- else }}{{ $root := . }}{{ $all := list }}
{{- range $n := until 3 }}
{{- $all = append $all (printf "%s-keeper-%d.%s.svc:7443" (include "tessera.name" $root) (add1 $n) $root.Values.keepers.namespace) }}
{{- end }}{{ $all | toJson }}
{{- end }}
{{- end }}

{{/* What every container of ours may do: compute, read its files, and speak at its ports. */}}
{{- define "tessera.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
{{- end }}

{{- define "tessera.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}
