#!/usr/bin/env bash
# How good does speech sound after a bad network? Runs the voice tests (real Opus, the real jitter buffer, seeded networks), scores
# what was heard with PESQ (ITU-T P.862.2, wideband; PyPI `pesq`) against the original speech, and fails when 10 % of loss cost
# more than 0.5 against the clean run. Needs python3 with venv, and gcc; the tools go into target/pesq.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$PWD/target/pesq"
mkdir -p "$folder/wav"
if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet numpy scipy cython pesq
fi
TESSERA_VOICE_WAV="$folder/wav" ${CARGO:-cargo} test --release --locked --lib speech_survives -- --nocapture
exec "$folder/venv/bin/python" - "$folder/wav" <<'PYTHON'
import sys
import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import resample_poly

def read(name):
    rate, samples = wavfile.read(f"{sys.argv[1]}/{name}.wav")
    assert rate == 48000
    return resample_poly(samples.astype(numpy.float64), 1, 3).astype(numpy.int16)

def score(name, seconds=8):
    """The mean over pieces of eight seconds, which is what PESQ was made for."""
    original, heard = read("original"), read(name)
    step = seconds * 16000
    starts = range(0, len(original) - step + 1, step)
    return numpy.mean([pesq(16000, original[at:at + step], heard[at:at + step + 1600], "wb") for at in starts])

clean = score("clean")
print(f"{'network':<32} PESQ (wideband)")
print(f"{'clean':<32} {clean:.2f}")
failed = False
for name, title, is_bound in [("random", "10 % random loss", True), ("gilbert", "10 % in bursts of 3", True), ("jitter", "50 ± 20 ms", True)]:
    value = score(name)
    failed |= is_bound and clean - value > 0.5
    print(f"{title:<32} {value:.2f}  ({value - clean:+.2f})")
sys.exit(1 if failed else 0)
PYTHON
