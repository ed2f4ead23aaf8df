#!/bin/bash
# How old is what viewers see (glass to glass, by WHEP and by HLS, in Chromium and Firefox), what does a layout of one's own cost a page,
# and how long does who joins wait for the first picture? The integration tests' own measurements, each looked at for longer.
# Bars (docs/benchmarks.md): WHEP 200 ms, LL-HLS 2 s; one's own layout at most 1.15 of the room's; first frame p95 600 ms.
#
# Usage: benches/pages.sh [SECONDS]    SECONDS that each player is watched: 20 unless told
set -euo pipefail
cd "$(dirname "$0")/.."
run() {
	"${CARGO:-cargo}" test --release --locked --test tests -- --nocapture --test-threads=1 "$@"
}
TESSERA_GLASS_SECONDS=${1:-20} run live::glass
run --ignored browser::cost
