#!/bin/bash
# The same job by several tools: 100 AV1 files of 320×180 at 30 frames/s become one 720p30 grid. What is compared is
# processor time (user + system) at equal PSNR: each tool runs at several target rates, and between its neighbouring
# points the others' rate and time are read off at the PSNR that this program has at 2.5 Mb/s.
#
#   benches/peers/compose.sh              everything, about 20 minutes on two cores; leave the machine alone meanwhile
#   FILES=10 SECONDS_EACH=2 N=1 benches/peers/compose.sh          a look whether it runs
#   benches/peers/compose.sh prepare      FFmpeg, the clips, and both unencoded canvases
#   benches/peers/compose.sh turn RATE_K TOOL...                  one turn of the tools at one rate; turns add up
#   benches/peers/compose.sh check        does the PSNR read what it must on a file whose PSNR is known?
#   benches/peers/compose.sh tell         the table of all turns so far
#
# TOOLS and RATES (kb/s) say which, N how often, THREADS how many each encoder may use: as many as there are cores.
# FFmpeg is the static build inside PyPI's imageio-ffmpeg, pinned by hash: FFmpeg 9.0.2 with libdav1d, libaom 3.15.1,
# SVT-AV1 4.2.0 and x264. Needs python3 with venv, on x86-64. The clips are cut from src/app/load/assets/source.ivf (Big
# Buck Bunny, see ATTRIBUTION.md there), every fourth is synthetic; they are made once and kept in $WORK. Builds
# nothing: make build first, or name the program in TESSERA; TESSERA_MORE are flags of compose to try.
#
# PSNR: every tool is compared with its own canvas, unencoded, of the same files: it tells what its encoder loses and
# nothing else, for scalers differ and none of them is the measure of the others. All place 100 tiles of the same size
# at the same places.
set -euo pipefail
cd "$(dirname "$0")/../.."

FILES=${FILES:-100}
SECONDS_EACH=${SECONDS_EACH:-10}
N=${N:-2}
TOOLS=${TOOLS:-tessera tessera-h264 aom-10 aom-8 svt-12 svt-10 svt x264 x264-psnr}
RATES=${RATES:-1250 1750 2500 3500}
THREADS=${THREADS:-$(nproc)}
TESSERA=${TESSERA:-${CARGO_TARGET_DIR:-target}/release/tessera}
TESSERA_MORE=${TESSERA_MORE:-}
WORK=${WORK:-${TMPDIR:-/tmp}/tessera-peers}
CLIPS=$WORK/clips9-$FILES-$SECONDS_EACH
OUT=$WORK/out-$FILES-$SECONDS_EACH
OURS_K=2500
FFMPEG=$WORK/venv/ffmpeg
mkdir -p "$CLIPS" "$OUT"

[ -x "$TESSERA" ] || { echo "no $TESSERA: run 'make build', or set TESSERA" >&2; exit 2; }

if [ ! -x "$FFMPEG" ]; then
    python3 -m venv "$WORK/venv"
    cat >"$WORK/venv/pinned" <<'PINNED'
imageio-ffmpeg==0.8.1 --hash=sha256:050d6850601c3b3890bd2b28306f3b842b3daea390a561101174375a1c460bda
PINNED
    "$WORK/venv/bin/pip" install --quiet --no-deps --only-binary=:all: --require-hashes -r "$WORK/venv/pinned"
    ln -s "$("$WORK/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" "$FFMPEG"
fi

ffmpeg_quiet() { "$FFMPEG" -nostdin -hide_banner -loglevel error -y "$@"; }

# Clip number $1: real video begun elsewhere, turned in hue; every fourth one of two generators.
make_clip() {
    local number=$1 encode filters
    encode=(-t "$SECONDS_EACH" -r 30 -pix_fmt yuv420p -an -c:v libaom-av1 -usage realtime -cpu-used 8
        -lag-in-frames 0 -g 300 -b:v 200k -row-mt 0 -threads 1)
    case $((number % 8)) in
    3)
        ffmpeg_quiet -f lavfi -i "testsrc2=size=320x180:rate=30,hue=h=$((number * 29 % 360))" "${encode[@]}" "$2"
        ;;
    7)
        filters="mandelbrot=size=320x180:rate=30:start_scale=$((1 + number % 5))"
        ffmpeg_quiet -f lavfi -i "$filters" "${encode[@]}" "$2"
        ;;
    *)
        filters="hue=h=$((number * 37 % 360)),loop=-1:300,trim=start_frame=$((number * 7 % 60)),settb=1/30,setpts=N"
        ffmpeg_quiet -i src/app/load/assets/source.ivf -vf "$filters,scale=320:180" "${encode[@]}" "$2"
        ;;
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
        wide = int((1280 - 2 * margin - (c - 1) * gap) / c)
        high = int((720 - 2 * margin - (r - 1) * gap) / r)
        w = even(min(wide, int(high * 16 / 9) + 1)); h = min(even((w * 9 + 16) / 16), even(high))
        if (w * h > best) { best = w * h; bc = c; br = r; bw = w; bh = h; bg = gap }
    }
    print bc, bw, bh, bg, even((1280 - bc * bw - (bc - 1) * bg) / 2), even((720 - br * bh - (br - 1) * bg) / 2)
}')

inputs=() graph="" labels="" layout=""
for ((number = 0; number < FILES; number++)); do
    x=$((number % COLUMNS_ * (TILE_W + GAP))) y=$((number / COLUMNS_ * (TILE_H + GAP)))
    inputs+=(-threads 1 -c:v libdav1d -i "${clips[number]}")
    graph+="[$number:v]scale=$TILE_W:$TILE_H[v$number];"
    labels+="[v$number]"
    layout+="${layout:+|}${x}_$y"
done
graph+="${labels}xstack=inputs=$FILES:layout=$layout:fill=0x121418,pad=1280:720:$LEFT:$TOP:0x121418[v]"

ffmpeg_grid() { ffmpeg_quiet "${inputs[@]}" -filter_complex "$graph" -map '[v]' -r 30 "$@"; }

# Runs tool $1 at $3 kb/s into file $2.
run_tool() {
    local out=$2 rate=$3
    local limit=(-maxrate "${rate}k" -bufsize "${rate}k" -g 120 -threads "$THREADS")
    local grid=(ffmpeg_grid -pix_fmt yuv420p -b:v "${rate}k" "${limit[@]}")
    case $1 in
    tessera) ours "$out" "$rate" --codec av1 --encoder aom ;;
    tessera-h264) ours "$out" "$rate" --codec h264 ;;
    # As a WebRTC sender sets libaom up: constant bit rate (for FFmpeg that is three equal rates), cyclic refresh, no
    # look-ahead. FFmpeg's own option ends at 8; the library's takes 9 and 10.
    aom-9 | aom-10) "${grid[@]}" -minrate "${rate}k" -c:v libaom-av1 -usage realtime -row-mt 1 -lag-in-frames 0 \
        -aq-mode cyclic -aom-params "cpu-used=${1#aom-}" "$out" ;;
    aom-8) "${grid[@]}" -c:v libaom-av1 -usage realtime -cpu-used 8 -row-mt 1 -lag-in-frames 0 "$out" ;;
    aom-good) "${grid[@]}" -c:v libaom-av1 -cpu-used 8 -row-mt 1 "$out" ;;
    # rtc=1 is SVT-AV1's real-time set-up: low delay, and constant bit rate, which FFmpeg asks for when both rates are
    # equal. 12 is its fastest preset there.
    svt-1[0-2]) "${grid[@]}" -c:v libsvtav1 -preset "${1#svt-}" -svtav1-params rtc=1 "$out" ;;
    svt) ffmpeg_grid -pix_fmt yuv420p -b:v "${rate}k" -g 120 -threads "$THREADS" -c:v libsvtav1 -preset 12 "$out" ;;
    x264) "${grid[@]}" -c:v libx264 -preset superfast "$out" ;;
    x264-psnr) "${grid[@]}" -c:v libx264 -preset superfast -tune psnr "$out" ;;
    *) echo "no tool $1" >&2 && return 2 ;;
    esac
}

# shellcheck disable=SC2086 # TESSERA_MORE is separate words
ours() {
    "$TESSERA" compose --quiet --layout grid --size 1280x720 --fps 30 --threads "$THREADS" --out "$1" \
        --bitrate "${2}k" "${@:3}" $TESSERA_MORE "${clips[@]}"
}

# Whose canvas tool $1 draws: all of FFmpeg's encoders get the same one.
canvas_of() {
    case $1 in
    tessera*) echo "$OUT/canvas-tessera.y4m" ;;
    *) echo "$OUT/canvas-ffmpeg.y4m" ;;
    esac
}

# Runs what follows $1 and prints its processor seconds and its wall seconds; its words go into the file $1.
TIMEFORMAT='%R %U %S'
timed() {
    local real user system log=$1
    { time "${@:2}" >"$log" 2>&1; } 2>"$log.time" || { cat "$log" >&2; return 1; }
    read -r real user system < <(tail -n 1 "$log.time")
    awk "BEGIN { print $user + $system, $real }"
    rm -f "$log" "$log.time"
}

# The two canvases, and what decoding, scaling and writing them takes.
canvases() {
    [ -s "$OUT/canvas-tessera.y4m" ] || timed "$OUT/log" ours "$OUT/canvas-tessera.y4m" "$OURS_K" >"$OUT/canvas-tessera"
    [ -s "$OUT/canvas-ffmpeg.y4m" ] ||
        timed "$OUT/log" ffmpeg_grid -pix_fmt yuv420p -f yuv4mpegpipe "$OUT/canvas-ffmpeg.y4m" >"$OUT/canvas-ffmpeg"
}

# The PSNR of file $1 against file $2, frame n against frame n + $3. Only with the same time base on both sides does N
# mean the same instant, and only with the same colours declared on both does psnr compare the planes as they are.
psnr_of() {
    local pair="settb=1/30,setpts=N,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    "$FFMPEG" -nostdin -hide_banner -i "$1" -i "$2" \
        -lavfi "[0:v]$pair[a];[1:v]trim=start_frame=${3:-0},$pair[b];[a][b]psnr=shortest=1" -f null - 2>&1 |
        sed -n 's/.*average:\([0-9.inf]*\).*/\1/p' | tail -n 1
}

# Luma moved by 2 and chroma kept, without other loss, in a time base and with colours that the canvas does not have:
# the PSNR of three planes together is 10 log10(255² / (4 · 2/3)) = 43.87 dB, if frames pair and colours are left alone.
check() {
    local source=$OUT/known.y4m known=$OUT/known.mp4 moved tool file
    ffmpeg_quiet -f lavfi -i testsrc2=size=640x360:rate=30 -t 2 \
        -vf "format=yuv420p,lutyuv=y=clip(val\,16\,230)" "$source"
    ffmpeg_quiet -i "$source" -vf "lutyuv=y=val+2,setparams=range=tv:color_primaries=bt470bg:colorspace=bt470bg" \
        -c:v libx264 -qp 0 -video_track_timescale 15360 "$known"
    moved=$(psnr_of "$known" "$source" 1)
    echo "known file: $(psnr_of "$known" "$source") dB, must be 43.87; one frame late: $moved dB"
    for tool in $TOOLS; do
        for file in "$OUT/$tool"-[0-9]*.mp4; do
            [ -s "$file" ] || continue
            moved=$(psnr_of "$file" "$(canvas_of "$tool")" 1)
            echo "${file##*/}: $(psnr_of "$file" "$(canvas_of "$tool")") dB; one frame late: $moved dB"
            break
        done
    done
    rm -f "$source" "$known"
}

# One turn of tools $2... at $1 kb/s, one after the other, so that a busy minute hits them alike.
turn() {
    local tool took
    for tool in "${@:2}"; do
        took=$(timed "$OUT/log" run_tool "$tool" "$OUT/$tool-$1.mp4" "$1")
        echo "$tool $1 $took" | tee -a "$OUT/turns"
        rm -f "$OUT/$tool-$1.psnr"
    done
}

# What each file that was made is: kb/s of its video stream, frames, PSNR.
quality() {
    local file name tool psnr
    for file in "$OUT"/*-*[0-9].mp4; do
        name=$(basename "$file" .mp4) tool=${file##*/} tool=${tool%-*}
        [ -s "$OUT/$name.psnr" ] && continue
        psnr=$(psnr_of "$file" "$(canvas_of "$tool")")
        ffmpeg_quiet -i "$file" -map 0:v -c copy -f framecrc - | awk -F, -v psnr="$psnr" \
            '!/^#/ { frames++; bytes += $5 } END { print bytes * 8 / 1000 / (frames / 30), frames, psnr }' \
            >"$OUT/$name.psnr"
    done
}

tell() {
    quality
    echo "$FILES files of 320x180, $SECONDS_EACH s, tiles of ${TILE_W}x$TILE_H, $THREADS threads"
    "$WORK/venv/bin/python" - "$OUT" "$OURS_K" <<'PYTHON'
import math
import pathlib
import statistics
import sys

folder, ours_rate = pathlib.Path(sys.argv[1]), int(sys.argv[2])
NAMES = {
    "tessera": "`tessera compose` (dav1d, libaom real time)",
    "tessera-h264": "`tessera compose --codec h264` (dav1d, OpenH264)",
    "aom-10": "libaom real time, cpu-used 10",
    "aom-9": "libaom real time, cpu-used 9",
    "aom-8": "libaom real time, cpu-used 8, variable rate",
    "aom-good": "libaom good, cpu-used 8",
    "svt-12": "SVT-AV1 rtc, preset 12",
    "svt-11": "SVT-AV1 rtc, preset 11",
    "svt-10": "SVT-AV1 rtc, preset 10",
    "svt": "SVT-AV1 preset 12, not real time",
    "x264": "x264 superfast",
    "x264-psnr": "x264 superfast, tune psnr",
}

turns = {}
for line in (folder / "turns").read_text().splitlines():
    tool, rate, cpu, wall = line.split()
    turns.setdefault((tool, int(rate)), []).append((float(cpu), float(wall)))

# Of each tool its points by rate: target kb/s, kb/s, PSNR, processor seconds, wall seconds.
points = {}
print("tool, target kb/s | turns | kb/s | frames | PSNR dB | processor s | wall s")
for (tool, rate), times in sorted(turns.items()):
    kbps, frames, psnr = (folder / f"{tool}-{rate}.psnr").read_text().split()
    cpu, wall = (statistics.median(column) for column in zip(*times))
    points.setdefault(tool, []).append((rate, float(kbps), float(psnr), cpu, wall))
    spread = f"{min(t[0] for t in times):.1f} to {max(t[0] for t in times):.1f}"
    print(f"{tool}, {rate} | {len(times)} | {float(kbps):.0f} | {frames} | {float(psnr):.2f} | "
          f"{cpu:.1f} ({spread}) | {wall:.1f}")

def at(tool, psnr):
    """kb/s (by its logarithm), processor and wall seconds of `tool` at `psnr`, between its neighbours; None outside."""
    line = sorted(points[tool], key=lambda point: point[2])
    for low, high in zip(line, line[1:]):
        if low[2] <= psnr <= high[2] and low[2] < high[2]:
            part = (psnr - low[2]) / (high[2] - low[2])
            mix = lambda a, b: a + (b - a) * part
            return math.exp(mix(math.log(low[1]), math.log(high[1]))), mix(low[3], high[3]), mix(low[4], high[4])
    return None

for name in ("tessera", "ffmpeg"):
    if (folder / f"canvas-{name}").exists():
        print(f"canvas alone, unencoded, written to a file: {name}", (folder / f"canvas-{name}").read_text().strip())

def compare(ours, peers):
    mine = next((point for point in points.get(ours, []) if point[0] == ours_rate), None)
    if mine is None:
        return
    _, kbps, psnr, cpu, wall = mine
    print(f"\n| at {psnr:.2f} dB | processor s | wall s | kb/s | our time of it | our kb/s of it |")
    print("|---|---|---|---|---|---|")
    print(f"| {NAMES[ours]} | {cpu:.1f} | {wall:.1f} | {kbps:.0f} | | |")
    for peer in peers:
        if peer not in points:
            continue
        theirs = at(peer, psnr)
        if theirs:
            print(f"| FFmpeg, {NAMES[peer]} | {theirs[1]:.1f} | {theirs[2]:.1f} | {theirs[0]:.0f} | "
                  f"{cpu / theirs[1]:.2f} | {kbps / theirs[0]:.2f} |")
        else:
            ends = sorted(point[2] for point in points[peer])
            print(f"| FFmpeg, {NAMES[peer]} | its PSNR is {ends[0]:.2f} to {ends[-1]:.2f} dB | | | | |")
        for _, rate, level, time, _ in points[peer]:
            reverse = at(ours, level)
            if reverse:
                print(f"  (at its {level:.2f} dB, {rate:.0f} kb/s, {time:.1f} s: ours {reverse[0]:.0f} kb/s, "
                      f"{reverse[1]:.1f} s, {reverse[1] / time:.2f} of its time, {reverse[0] / rate:.2f} of its bits)")

peers = [tool for tool in NAMES if not tool.startswith("tessera")]
compare("tessera", [peer for peer in peers if not peer.startswith("x264")])
compare("tessera-h264", [peer for peer in peers if peer.startswith("x264")])
PYTHON
}

case ${1:-all} in
prepare) canvases ;;
check) canvases && check ;;
turn) shift && turn "$@" ;;
tell) canvases && tell ;;
all)
    rm -f "$OUT/turns"
    canvases
    for ((round = 0; round < N; round++)); do
        # shellcheck disable=SC2086 # words on purpose
        for rate in $RATES; do turn "$rate" $TOOLS; done
    done
    check
    tell
    rm -f "$OUT"/canvas-*
    ;;
*) sed -n '2,22s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
