#!/bin/sh
# What does one participant of an audio mix cost, in per cent of a core? Tessera, Debian's Janus 1.1 AudioBridge driven through its
# plain-RTP participants, FFmpeg amix, GStreamer audiomixer; the same Opus voice, the same machine, one after the other.
#
#   benches/peers/mix.sh [people] [seconds]        (100 people, 20 s)
#
# Needs: ffmpeg, curl, and where their rows are wanted: janus (apt-get install janus), gstreamer1.0-tools with the plugins base, good.
# Tessera's row is its bench: five of the people speak, as in a call. The others decode and mix everybody who sends: they
# know no levels. FFmpeg and GStreamer encode once, which is less than a call needs; Janus encodes once for each participant.
set -eu
people=${1:-100}
seconds=${2:-20}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
pids=""
trap 'for pid in $pids; do kill "$pid" 2>/dev/null || :; done; rm -rf "$work"' EXIT
voice="$here/../../src/app/load/assets/voice1.ogg"
hertz=$(getconf CLK_TCK)

# Processor time of a process, in clock ticks.
spent() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# A row: name, clock ticks, seconds, people.
row() {
  awk -v name="$1" -v ticks="$2" -v hertz="$hertz" -v span="$3" -v people="$4" 'BEGIN {
    share = 100 * ticks / hertz / span
    printf "| %s | %d | %.1f %% | %.3f %% |\n", name, people, share, share / people }'
}

# Runs a command over so many seconds of sound as fast as it goes: what it takes is what it would take in real time.
timed() {
  name=$1 span=$2
  shift 2
  if ! command -v "$1" >/dev/null; then echo "| $name | | not installed | |"; return; fi
  before=$(awk '{ print $16 + $17 }' "/proc/$$/stat")
  if "$@" >"$work/log" 2>&1; then
    row "$name" $(($(awk '{ print $16 + $17 }' "/proc/$$/stat") - before)) "$span" "$people"
  else
    echo "| $name | | failed: $(tail -1 "$work/log") | |"
  fi
}

# FFmpeg: every person's Opus decoded, mixed, and one encode for each, which is what a call needs.
peer_ffmpeg() {
  set -- ffmpeg -nostdin -loglevel error -y -threads 1 -filter_complex_threads 1
  labels=""
  for n in $(seq 0 $((people - 1))); do
    set -- "$@" -stream_loop -1 -t "$seconds" -i "$voice"
    labels="$labels[$n:a]"
  done
  timed "FFmpeg amix, one encode for all" "$seconds" "$@" -filter_complex "${labels}amix=inputs=$people:normalize=0[m]" \
    -map '[m]' -c:a libopus -b:a 48k -f null -
}

peer_gstreamer() {
  length=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$voice")
  pads=""
  for n in $(seq 1 "$people"); do
    pads="$pads filesrc location=$voice ! oggdemux ! opusdec ! audioconvert ! audioresample ! m."
  done
  # shellcheck disable=SC2086
  timed "GStreamer audiomixer, one encode for all" "$length" gst-launch-1.0 -q audiomixer name=m ! \
    audioconvert ! opusenc bitrate=48000 ! fakesink sync=false $pads
}

# Janus: its own process, real plain-RTP participants that FFmpeg feeds; its processor time while they do.
peer_janus() {
  if ! command -v janus >/dev/null; then echo "| Janus AudioBridge | | not installed | |"; return; fi
  mkdir "$work/janus"
  cat >"$work/janus/janus.jcfg" <<CONFIG
general: { configs_folder = "$work/janus" server_name = "bench" debug_level = 3 }
media: { rtp_port_range = "42000-43000" }
plugins: { disable = "libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_videoroom.so,libjanus_voicemail.so" }
CONFIG
  echo 'general: { json = "compact" http = true port = 18088 ip = "127.0.0.1" https = false }' >"$work/janus/janus.transport.http.jcfg"
  echo 'general: { local_ip = "127.0.0.1" }
room-1: { description = "bench" sampling_rate = 48000 allow_rtp_participants = true }' >"$work/janus/janus.plugin.audiobridge.jcfg"
  janus -F "$work/janus" -C "$work/janus/janus.jcfg" >"$work/janus.log" 2>&1 &
  janus=$!
  pids="$pids $janus"
  url=http://127.0.0.1:18088/janus
  for _ in 1 2 3 4 5 6 7 8 9 10; do curl -s "$url/info" >/dev/null && break; sleep 0.5; done
  ask() { curl -s -m 5 "$1" -d "$2"; }
  id() { sed -n 's/.*"data":{"id":\([0-9]*\).*/\1/p'; }
  for n in $(seq 1 "$people"); do
    session=$(ask "$url" '{"janus":"create","transaction":"c"}' | id)
    handle=$(ask "$url/$session" '{"janus":"attach","plugin":"janus.plugin.audiobridge","transaction":"a"}' | id)
    port=$((44000 + 2 * n))
    ask "$url/$session/$handle" '{"janus":"message","transaction":"j","body":{"request":"join","room":1,"rtp":{"ip":"127.0.0.1","port":'$port',"payload_type":111,"fec":false}}}' >/dev/null
    event=""
    for _ in 1 2 3 4 5; do
      event=$(curl -s -m 5 "$url/$session?maxev=1")
      case $event in *'"joined"'*) break ;; esac
    done
    echo "$event" | sed -n 's/.*"rtp":{[^}]*"port":\([0-9]*\).*/\1/p' >>"$work/ports"
    echo "$session" >>"$work/sessions"
  done
  joined=$(wc -l <"$work/ports")
  # Janus hears nobody but the address that it sends to.
  outputs=$(awk '{ printf "%s[f=rtp:payload_type=111]rtp://127.0.0.1:%d?localrtpport=%d", (NR > 1 ? "|" : ""), $1, 44000 + 2 * NR }' "$work/ports")
  ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i "$voice" -map 0:a -c copy -f tee "$outputs" >"$work/ffmpeg.log" 2>&1 &
  pids="$pids $!"
  sleep 3
  before=$(spent $janus)
  sleep "$seconds"
  session=$(head -1 "$work/sessions")
  handle=$(ask "$url/$session" '{"janus":"attach","plugin":"janus.plugin.audiobridge","transaction":"a"}' | id)
  heard=$(ask "$url/$session/$handle" '{"janus":"message","transaction":"l","body":{"request":"listparticipants","room":1}}' | grep -o '"setup":true' | wc -l)
  if [ "$heard" -lt "$people" ]; then echo "| Janus AudioBridge | | only $heard of $people were heard | |"; return; fi
  row "Janus AudioBridge, all $joined send" $(($(spent $janus) - before)) "$seconds" "$joined"
}

echo "| mixer | people | of a core | a participant |"
echo "|---|---|---|---|"
cd "$here/../.."
tick=$(cargo bench -q --bench mix -- "sound/tick/100_people_5_speak$" 2>/dev/null | sed -n 's/.*time: *\[[^ ]* [^ ]* \([0-9.]*\) \([^ ]*\) .*/\1 \2/p' || :)
if [ -n "$tick" ]; then
  echo "$tick" | awk '{ ms = $1 / ($2 == "ms" ? 1 : 1000); printf "| Tessera, 5 of 100 speak, everything on | 100 | %.1f %% | %.3f %% |\n", ms * 5, ms * 5 / 100 }'
fi
peer_ffmpeg
peer_gstreamer
peer_janus
