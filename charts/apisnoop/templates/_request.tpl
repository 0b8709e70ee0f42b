{{/*
A regular expression that only a request for our own certificate matches, as certs/apisnoop_certs/request_pattern.py makes it, which
says why; a test compares the two. It is made here since Helm knows the names: it looks into the cluster while it installs.
The request is put together as a text of bits, those of its key and signature being "?", and goes as such through both encodings: DER
in base64 is PEM, and PEM in base64 is what the policy sees.
*/}}

{{/* Names and addresses of the API server, as a JSON list; empty where the policy is to leave them open or nobody knows them. */}}
{{- define "apisnoop.request.names" -}}
{{- $found := .Values.certificate.addresses }}
{{- $service := lookup "v1" "Service" "default" "kubernetes" }}
{{- if and $service (not $found) }}
  {{- $found = $service.spec.clusterIPs | default (list $service.spec.clusterIP) }}
  {{- range (lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "").items }}
    {{- if eq (dig "metadata" "labels" "kubernetes.io/service-name" "" .) "kubernetes" }}
      {{- range .endpoints }}{{ $found = concat $found .addresses }}{{ end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and $found (not .Values.certificate.anyNames) }}
  {{- $domain := .Values.certificate.domain | default "cluster.local" }}
  {{- $names := list "kubernetes" "kubernetes.default" "kubernetes.default.svc" (printf "kubernetes.default.svc.%s" $domain) }}
  {{- concat $names (sortAlpha $found) .Values.certificate.extraNames | toJson }}
{{- else }}[]{{ end }}
{{- end }}

{{/* The expression for names and addresses: (list "kubernetes" "10.96.0.1"). */}}
{{- define "apisnoop.request.pattern" -}}
{{- $names := list }}{{ $addresses := list }}
{{- range . }}
  {{- if regexMatch "^[0-9.]+$|:" . }}
    {{- $addresses = append $addresses (include "apisnoop.der" (list 0x87 (include "apisnoop.address" .))) }}
  {{- else }}
    {{- $names = append $names (include "apisnoop.der" (list 0x82 (. | lower | trimSuffix "." | include "apisnoop.bits"))) }}
  {{- end }}
{{- end }}
{{- $names = include "apisnoop.der" (list 0x30 (concat (uniq $names) (uniq $addresses | sortAlpha) | join "")) }}
{{- /* subjectAltName, the one extension of the one attribute, extensionRequest */}}
{{- $extension := print (include "apisnoop.bits" "\x06\x03\x55\x1d\x11") (include "apisnoop.der" (list 0x04 $names)) }}
{{- $extensions := include "apisnoop.der" (list 0x30 (include "apisnoop.der" (list 0x30 $extension))) }}
{{- $oid := include "apisnoop.bits" "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e" }}
{{- $attribute := include "apisnoop.der" (list 0x30 (print $oid (include "apisnoop.der" (list 0x31 $extensions)))) }}
{{- $organization := "\x31\x15\x30\x13\x06\x03\x55\x04\x0a\x0c\x0csystem:nodes" }}
{{- $name := "\x31\x1d\x30\x1b\x06\x03\x55\x04\x03\x0c\x14system:node:apisnoop" }}
{{- $key := "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04" }}
{{- $body := print (print "\x02\x01\x00\x30\x36" $organization $name $key | include "apisnoop.bits") (repeat 512 "?") }}
{{- $body = include "apisnoop.der" (list 0x30 (print $body (include "apisnoop.der" (list 0xa0 $attribute)))) }}
{{- $ecdsa := include "apisnoop.bits" "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x03\x48\x00" }}
{{- $request := include "apisnoop.der" (list 0x30 (print $body $ecdsa (repeat 568 "?"))) | include "apisnoop.base64" }}
{{- $lines := regexReplaceAll ".{1,64}" $request "${0}\n" }}
{{- $pem := printf "-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n" $lines -}}
^{{ range regexFindAll "[?]+|[^?]+" ($pem | include "apisnoop.bits" | include "apisnoop.base64") -1 -}}
{{- if hasPrefix "?" . }}[A-Za-z0-9+/]{{ printf "{%d}" (len .) }}{{ else }}{{ . | replace "+" "[+]" }}{{ end -}}
{{- end }}$
{{- end }}

{{/* The bits of a text; "?" stays open. */}}
{{- define "apisnoop.bits" -}}
{{- range $at := until (len .) }}{{ $byte := index $ $at -}}
{{- if eq $byte 63 }}????????{{ else }}{{ printf "%08b" $byte }}{{ end }}{{ end -}}
{{- end }}

{{/* The bits of an address of either family. */}}
{{- define "apisnoop.address" -}}
{{- if contains ":" . }}
  {{- $halves := splitList "::" . }}{{ $head := first $halves | splitList ":" | compact }}
  {{- $tail := list }}{{ if gt (len $halves) 1 }}{{ $tail = last $halves | splitList ":" | compact }}{{ end }}
  {{- range $head }}{{ printf "0x%s" . | int | printf "%016b" }}{{ end }}
  {{- repeat (sub (sub 8 (len $head)) (len $tail) | mul 16 | int) "0" }}
  {{- range $tail }}{{ printf "0x%s" . | int | printf "%016b" }}{{ end }}
{{- else }}{{ range splitList "." . }}{{ printf "%08b" (int .) }}{{ end }}{{ end -}}
{{- end }}

{{/* One element of DER, as bits: (list TAG CONTENT). */}}
{{- define "apisnoop.der" -}}
{{- $length := div (len (index . 1)) 8 }}{{ printf "%08b" (index . 0) -}}
{{- if lt $length 128 }}{{ printf "%08b" $length }}
{{- else if lt $length 256 }}10000001{{ printf "%08b" $length }}
{{- else }}10000010{{ printf "%016b" $length }}{{ end }}
{{- index . 1 -}}
{{- end }}

{{/* Bits in base64; a character is "?" if any of its six bits is. */}}
{{- define "apisnoop.base64" -}}
{{- $characters := dict }}
{{- range $value, $character := regexFindAll "." "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" -1 }}
  {{- $_ := set $characters (printf "%06b" $value) $character }}
{{- end }}
{{- range regexFindAll ".{1,6}" . -1 -}}
  {{- if contains "?" . }}?{{ else }}{{ printf "%s00000" . | trunc 6 | get $characters }}{{ end -}}
{{- end }}
{{- repeat (mod (sub 3 (mod (div (len .) 8) 3)) 3 | int) "=" -}}
{{- end }}
