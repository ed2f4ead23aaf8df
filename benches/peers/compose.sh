#!/bin/bash
# The same job by four tools: 100 AV1 files of 320×180 at 30 frames/s become one 720p30 grid. Prints for each the processor
# seconds (user + system), the wall time, the size and the PSNR; processor and wall are medians.
#
#   benches/peers/compose.sh                     everything, about 15 minutes on two cores; leave the machine alone meanwhile
#   FILES=10 SECONDS_EACH=2 N=1 benches/peers/compose.sh      a look whether it runs
#   TOOLS="tessera svt" benches/peers/compose.sh              some of: tessera aom svt gstreamer
#
# Needs ffmpeg with libdav1d, libaom and libsvtav1, and for GStreamer: gstreamer1.0-tools, -plugins-base, -good, -bad, -ugly.
# The clips are cut from src/app/load/assets/source.ivf (Big Buck Bunny, see ATTRIBUTION.md there), every fourth is synthetic; they are
# made once and kept in $WORK. Builds nothing: make build first, or name the program in TESSERA.
#
# PSNR: every tool is compared with its own canvas, unencoded, of the same files: it tells what its encoder loses and nothing
# else, for scalers differ and none of them is the measure of the others. All place 100 tiles of the same size at the same places
# and aim at 2.5 Mb/s; kb/s says what they took. GStreamer decodes with libaom, for Debian 12 has no dav1d element for it.
set -euo pipefail
cd "$(dirname "$0")/../.."

FILES=${FILES:-100}
SECONDS_EACH=${SECONDS_EACH:-10}
N=${N:-5}
TOOLS=${TOOLS:-tessera aom svt gstreamer}
TESSERA=${TESSERA:-${CARGO_TARGET_DIR:-target}/release/tessera}
WORK=${WORK:-${TMPDIR:-/tmp}/tessera-peers}
CLIPS=$WORK/clips-$FILES-$SECONDS_EACH
BITRATE_K=2500
mkdir -p "$CLIPS"

[ -x "$TESSERA" ] || { echo "no $TESSERA: run 'make build', or set TESSERA" >&2; exit 2; }

ffmpeg_quiet() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }

# Clip number $1: real video begun elsewhere, turned in hue; every fourth one of two generators.
make_clip() {
    local number=$1 encode
    encode=(-t "$SECONDS_EACH" -r 30 -pix_fmt yuv420p -an -c:v libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0 -g 300
        -b:v 200k -row-mt 0 -threads 1)
    case $((number % 8)) in
    3) ffmpeg_quiet -f lavfi -i "testsrc2=size=320x180:rate=30,hue=h=$((number * 29 % 360))" "${encode[@]}" "$2" ;;
    7) ffmpeg_quiet -f lavfi -i "mandelbrot=size=320x180:rate=30:start_scale=$((1 + number % 5))" "${encode[@]}" "$2" ;;
    *) ffmpeg_quiet -i src/app/load/assets/source.ivf -vf "hue=h=$((number * 37 % 360)),loop=-1:300,trim=start_frame=$((number * 7 % 60)),settb=1/30,setpts=N,scale=320:180" \
        "${encode[@]}" "$2" ;;
    esac
}

clips=()
for ((number = 0; number < FILES; number++)); do
    clip=$CLIPS/$(printf %03d "$number").mp4
    [ -s "$clip" ] || { make_clip "$number" "$CLIPS/part.mp4" && mv "$CLIPS/part.mp4" "$clip"; }
    clips+=("$clip")
done

# The grid of src/core/scene/grid.rs: as many columns as give the largest 16:9 cells.
read -r COLUMNS_ TILE_W TILE_H GAP LEFT TOP < <(awk -v people="$FILES" '
function even(v) { v = int(v); return v - v % 2 }
function min(a, b) { return a < b ? a : b }
BEGIN {
    for (c = 1; c <= people; c++) {
        r = int((people + c - 1) / c)
        gap = c * r == 1 ? 0 : even(720 / r / 30); if (c * r > 1) { if (gap < 2) gap = 2; if (gap > 8) gap = 8 }
        margin = even(gap / 2)
        wide = int((1280 - 2 * margin - (c - 1) * gap) / c); high = int((720 - 2 * margin - (r - 1) * gap) / r)
        w = even(min(wide, int(high * 16 / 9) + 1)); h = min(even((w * 9 + 16) / 16), even(high))
        if (w * h > best) { best = w * h; bc = c; br = r; bw = w; bh = h; bg = gap }
    }
    print bc, bw, bh, bg, even((1280 - bc * bw - (bc - 1) * bg) / 2), even((720 - br * bh - (br - 1) * bg) / 2)
}')

inputs=() graph="" labels="" layout="" pipeline="" pads=""
for ((number = 0; number < FILES; number++)); do
    x=$((number % COLUMNS_ * (TILE_W + GAP))) y=$((number / COLUMNS_ * (TILE_H + GAP)))
    inputs+=(-threads 1 -c:v libdav1d -i "${clips[number]}")
    graph+="[$number:v]scale=$TILE_W:$TILE_H[v$number];"
    labels+="[v$number]"
    layout+="${layout:+|}${x}_$y"
    pads+=" sink_$number::xpos=$((x + LEFT)) sink_$number::ypos=$((y + TOP)) sink_$number::width=$TILE_W sink_$number::height=$TILE_H"
    pipeline+=" filesrc location=${clips[number]} ! qtdemux ! av1parse ! av1dec ! queue max-size-buffers=4 ! mix.sink_$number"
done
graph+="${labels}xstack=inputs=$FILES:layout=$layout:fill=0x121418,pad=1280:720:$LEFT:$TOP:0x121418[v]"

ffmpeg_grid() { ffmpeg_quiet "${inputs[@]}" -filter_complex "$graph" -map '[v]' -r 30 "$@"; }

gstreamer_grid() {
    # shellcheck disable=SC2086 # the pipeline is separate words
    gst-launch-1.0 -q compositor name=mix background=black $pads ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1 ! "$@" $pipeline
}

# Runs tool $1 into file $2; with $3 = raw its canvas is written as Y4M.
run_tool() {
    local raw=${3:-}
    case $1 in
    tessera) "$TESSERA" compose --quiet --layout grid --size 1280x720 --fps 30 --bitrate "${BITRATE_K}k" --encoder auto --out "$2" "${clips[@]}" ;;
    aom | svt | gstreamer) "${1}_tool" "$2" "$raw" ;;
    esac
}

aom_tool() {
    if [ "$2" = raw ]; then ffmpeg_grid -pix_fmt yuv420p -f yuv4mpegpipe "$1"; return; fi
    ffmpeg_grid -pix_fmt yuv420p -c:v libaom-av1 -usage realtime -cpu-used 8 -row-mt 1 -lag-in-frames 0 -g 120 \
        -b:v "${BITRATE_K}k" -maxrate "${BITRATE_K}k" -bufsize "${BITRATE_K}k" "$1"
}

svt_tool() {
    if [ "$2" = raw ]; then aom_tool "$@"; return; fi
    ffmpeg_grid -pix_fmt yuv420p -c:v libsvtav1 -preset 12 -g 120 -b:v "${BITRATE_K}k" "$1" 2>/dev/null
}

gstreamer_tool() {
    if [ "$2" = raw ]; then gstreamer_grid y4menc ! filesink location="$1"; return; fi
    gstreamer_grid x264enc speed-preset=superfast bitrate=$BITRATE_K key-int-max=120 ! h264parse ! mp4mux ! filesink location="$1"
}

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

name_of() {
    case $1 in
    tessera) echo "tessera compose (dav1d, libaom real time)" ;;
    aom) echo "FFmpeg xstack, libdav1d, libaom cpu-used 8" ;;
    svt) echo "FFmpeg xstack, libdav1d, SVT-AV1 preset 12" ;;
    gstreamer) echo "GStreamer compositor, libaom, x264 superfast" ;;
    esac
}

# Where the unencoded canvas of tool $1 lies: both of FFmpeg's encoders get the same one.
canvas_of() {
    case $1 in
    aom | svt) echo "$WORK/canvas-ffmpeg.y4m" ;;
    *) echo "$WORK/canvas-$1.y4m" ;;
    esac
}

# One round of all tools after the other, so that a busy minute hits them alike.
rm -f "$WORK"/canvas-*.y4m
declare -A cpu wall
TIMEFORMAT='%R %U %S'
for ((round = 0; round < N; round++)); do
    for tool in $TOOLS; do
        { time run_tool "$tool" "$WORK/$tool.mp4" >&2; } 2>"$WORK/time"
        read -r real user system < <(tail -n 1 "$WORK/time")
        cpu[$tool]+="$(awk "BEGIN { print $user + $system }") "
        wall[$tool]+="$real "
    done
done

echo "$FILES files of 320x180, $SECONDS_EACH s, tiles of ${TILE_W}x$TILE_H; median of $N"
printf '%-46s %8s %8s %8s %8s %10s\n' tool "cpu s" "wall s" "kb/s" frames "PSNR dB"
declare -A middle
for tool in $TOOLS; do
    middle[$tool]=$(tr ' ' '\n' <<<"${cpu[$tool]% }" | median)
    reference=$(canvas_of "$tool")
    [ -s "$reference" ] || run_tool "$tool" "$reference" raw >/dev/null
    # Frame n against frame n: only with the same time base on both sides does N mean the same instant, and only with the same colours
    # declared on both does psnr compare the planes as they are.
    pair="settb=1/30,setpts=N,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    psnr=$(ffmpeg -nostdin -hide_banner -i "$WORK/$tool.mp4" -i "$reference" -lavfi "[0:v]$pair[a];[1:v]$pair[b];[a][b]psnr" \
        -f null - 2>&1 | sed -n 's/.*average:\([0-9.inf]*\).*/\1/p' | tail -n 1)
    frames=$(ffprobe -v error -select_streams v -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$WORK/$tool.mp4")
    rate=$(awk "BEGIN { printf \"%.0f\", $(stat -c %s "$WORK/$tool.mp4") * 8 / 1000 / (${frames%,} / 30) }")
    printf '%-46s %8.2f %8.2f %8s %8s %10s\n' "$(name_of "$tool")" "${middle[$tool]}" "$(tr ' ' '\n' <<<"${wall[$tool]% }" | median)" "$rate" "${frames%,}" "$psnr"
done
rm -f "$WORK"/canvas-*.y4m
for tool in aom svt gstreamer; do
    if [ -n "${middle[tessera]:-}" ] && [ -n "${middle[$tool]:-}" ]; then
        awk "BEGIN { printf \"tessera's processor time is %.2f of: \", ${middle[tessera]} / ${middle[$tool]} }"
        name_of "$tool"
    fi
done
