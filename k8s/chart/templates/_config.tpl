{{/* One value of a configuration as TOML. JSON's texts, numbers, booleans and lists of these are TOML's too; tables are not. */}}
{{- define "tessera.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $n, $key := keys . | sortAlpha }}{{ if $n }},{{ end }} {{ $key | toJson }} = {{ include "tessera.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{- range $n, $one := . }}{{ if $n }}, {{ end }}{{ include "tessera.toml" $one }}{{ end }}]
{{- else if kindIs "invalid" . -}}
{{- fail "config: a key without a value; leave it out, or give it one" -}}
{{- else -}}
{{ . | toJson }}
{{- end -}}
{{- end }}

{{/* [fleet] of every pod that looks at etcd: config.fleet, and what the values fleet say. */}}
{{- define "tessera.fleet" -}}
{{- $fleet := deepCopy (dig "fleet" dict .Values.config) }}
{{- with .Values.fleet.etcd }}{{ $_ := set $fleet "etcd" . }}{{ end }}
{{- with .Values.fleet.advertise }}{{ $_ := set $fleet "advertise" . }}{{ end }}
{{- with .Values.fleet.region }}{{ $_ := set $fleet "region" . }}{{ end }}
{{- $fleet | toJson }}
{{- end }}

{{/* What stands in the ConfigMap of the pool: the operator's keys, and those that follow from what the chart deploys. */}}
{{- define "tessera.config" -}}
{{- $v := .root.Values }}
{{- $config := mergeOverwrite (deepCopy $v.config) (deepCopy (.pool.config | default dict)) }}
{{- range $section := list "http" "media" "video" "threads" "recording" "retention" "node" "log" }}
{{- if not (hasKey $config $section) }}{{ $_ := set $config $section dict }}{{ end }}
{{- end }}
{{- include "tessera.config.check" (dict "config" $config) }}
{{- $name := include "tessera.name" .root }}
{{- $own := list (printf "%s.%s.svc" $name .root.Release.Namespace) }}
{{- $_ := set $config.http "hosts" (concat $v.hosts $own) }}
{{- $_ := set $config.http "listen" (printf "0.0.0.0:%d" (int $v.http.port)) }}
{{- if $v.tls.existingSecret }}
{{- $_ := set $config.http "tls_cert" "/etc/tessera/tls/tls.crt" }}
{{- $_ := set $config.http "tls_key" "/etc/tessera/tls/tls.key" }}
{{- end }}
{{- with include "tessera.fleet" .root | fromJson }}
{{- $_ := set $config "fleet" (mergeOverwrite . (dig "fleet" dict ($.pool.config | default dict))) }}
{{- end }}
{{- $_ := set $config.media "listen" (printf "0.0.0.0:%d" (int $v.media.port)) }}
{{- range $kind := list "decode" "compose" "mix" }}
{{- if not (hasKey $config.threads $kind) }}{{ $_ := set $config.threads $kind $.pool.cores }}{{ end }}
{{- end }}
{{- /* A minute less than the pod has: the node closes recordings in 24 s. */}}
{{- /* Where rooms move (docs/fleet.md), they do after drain_seconds, for a minute. */}}
{{- $moves := ternary 60 0 (hasKey ($config.fleet | default dict) "secret_file") }}
{{- $drain := max 0 (sub (int $v.graceSeconds) (add 60 $moves)) }}
{{- if gt (int (get $config.node "drain_seconds" | default 0)) (int $drain) }}
{{- fail (printf "config.node.drain_seconds: the pod is killed after graceSeconds, so at most %d, or raise that" $drain) }}
{{- end }}
{{- if not (hasKey $config.node "drain_seconds") }}{{ $_ := set $config.node "drain_seconds" $drain }}{{ end }}
{{- if and (gt (int (dig "gpu" "count" 0 .pool)) 0) (not (hasKey $config.video "compositor")) }}
{{- $_ := set $config.video "compositor" "gpu" }}
{{- end }}
{{- if $v.recording.enabled }}
{{- $_ := set $config.recording "enabled" true }}
{{- $_ := set $config.recording "path" (printf "s3://%s/%s" $v.recording.store.bucket $v.recording.store.prefix | trimSuffix "/") }}
{{- $_ := set $config.recording "retention_hours" $v.recording.retentionHours }}
{{- $_ := set $config.recording "spool" "/var/lib/tessera/spool" }}
{{- $_ := set $config.recording "spool_mib" $v.recording.spool.mib }}
{{- $_ := set $config.retention "keepers" (include "tessera.keepers" .root | fromJsonArray) }}
{{- range $file := list "ca" "cert" "key" }}
{{- $_ := set $config.retention $file (printf "/etc/tessera/node/%s.pem" $file) }}
{{- end }}
{{- end }}
{{- range $section := keys $config | sortAlpha }}{{ $keys := get $config $section }}{{ if $keys }}
[{{ $section }}]
{{- range $key := keys $keys | sortAlpha }}
{{ $key }} = {{ include "tessera.toml" (get $keys $key) }}
{{- end }}
{{ end }}{{ end }}
{{- end }}

{{/* What may not be said in `config`, and where to say it. */}}
{{- define "tessera.config.check" -}}
{{- range $section, $keys := .config }}{{ if not (kindIs "map" $keys) }}
{{- fail (printf "config.%s: name keys below it, as [%s] of tessera.example.toml has them" $section $section) }}{{ end }}{{ end }}
{{- range $key, $instead := dict "token" "token.existingSecret" "listen" "http.port" "hosts" "hosts" "tls_cert" "tls.existingSecret" "tls_key" "tls.existingSecret" "acme" "tls.existingSecret" }}
{{- if hasKey $.config.http $key }}{{ fail (printf "config.http.%s: say it by the value %s" $key $instead) }}{{ end }}
{{- end }}
{{- range $server := .config.http.ice_servers | default list }}
{{- if or (hasKey $server "secret") (hasKey $server "credential") }}
{{- fail "config.http.ice_servers: a secret would stand in a ConfigMap; put the whole tessera.toml into a Secret and name it as configSecret" }}
{{- end }}
{{- end }}
{{- range $key, $instead := dict "listen" "media.port" "advertise" "pools.NAME.advertise" }}
{{- if hasKey $.config.media $key }}{{ fail (printf "config.media.%s: say it by the value %s" $key $instead) }}{{ end }}
{{- end }}
{{- range $key, $instead := dict "enabled" "recording.enabled" "path" "recording.store" "retention_hours" "recording.retentionHours" "spool" "recording.spool" "spool_mib" "recording.spool.mib" "keeper" "keepers" }}
{{- if hasKey $.config.recording $key }}{{ fail (printf "config.recording.%s: say it by the value %s" $key $instead) }}{{ end }}
{{- end }}
{{- if .config.retention }}{{ fail "config.retention: say it by the values keepers" }}{{ end }}
{{- end }}

{{/* What the values together cannot mean. */}}
{{- define "tessera.check" -}}
{{- $v := .Values }}
{{- if $v.recording.enabled }}
{{- if not $v.recording.store.bucket }}{{ fail "recording.store.bucket: name the bucket that sealed recordings go to" }}{{ end }}
{{- if and $v.keepers.external (ne (len $v.keepers.external) 3) }}{{ fail "keepers.external: name three, HOST:PORT each" }}{{ end }}
{{- if not (or $v.keepers.enabled $v.keepers.external) }}
{{- fail "recording.enabled: who holds the keys? Set keepers.enabled, or name three in keepers.external (docs/retention.md)" }}
{{- end }}
{{- if and $v.keepers.enabled $v.keepers.external }}{{ fail "keepers: either enabled or external" }}{{ end }}
{{- end }}
{{- if and $v.keepers.enabled (eq $v.keepers.namespace .Release.Namespace) }}
{{- fail "keepers.namespace: another one than the nodes', so that who may read the nodes' secrets may not read theirs" }}
{{- end }}
{{- range $key := list "etcd" "advertise" "region" }}
{{- if and (get $v.fleet $key) (hasKey (dig "fleet" dict $v.config) $key) }}
{{- fail (printf "config.fleet.%s: say it by the value fleet.%s alone" $key $key) }}
{{- end }}
{{- end }}
{{- if and $v.fleet.etcd (not $v.fleet.advertise) (not $v.configSecret) }}
{{- fail "fleet.advertise: where do clients reach each node and no other? Such as https://{node}.call.example.org" }}
{{- end }}
{{- if and $v.steward.enabled (not $v.configSecret) (not (include "tessera.fleet" . | fromJson | dig "etcd" list)) }}
{{- fail "steward.enabled: fleet.etcd names no etcd; a steward looks at the fleet in it" }}
{{- end }}
{{- range $secret := $v.steward.secrets }}
{{- if not (has $secret $v.files.secrets) }}
{{- fail (printf "steward.secrets: %s is none of files.secrets" $secret) }}
{{- end }}
{{- end }}
{{- if eq (int $v.http.port) (int $v.media.port) }}{{ fail "http.port and media.port: two numbers" }}{{ end }}
{{- range $name, $pool := $v.pools }}
{{- if gt (int $pool.replicas) 1 }}
{{- if eq $pool.expose "loadBalancer" }}
{{- fail (printf "pools.%s: behind a loadBalancer a pool has one replica, whose address it is; add a pool for each further node" $name) }}
{{- end }}
{{- if kindIs "slice" $pool.advertise }}
{{- fail (printf "pools.%s.advertise: addresses are one node's; a pool that has them has one replica" $name) }}
{{- end }}
{{- end }}
{{- if and (eq $pool.expose "loadBalancer") (not (kindIs "slice" $pool.advertise)) }}
{{- fail (printf "pools.%s.advertise: behind a loadBalancer name its addresses: [203.0.113.7]" $name) }}
{{- end }}
{{- if and (eq $pool.expose "none") (not (eq (toString $pool.advertise) "pod")) }}
{{- fail (printf "pools.%s.advertise: with expose none clients come by a gateway inside the cluster, so say pod" $name) }}
{{- end }}
{{- end }}
{{- end }}
