#!/usr/bin/env bash
# How good does speech sound after a bad network? Runs the voice tests (real Opus, the real jitter buffer, seeded networks), scores
# what was heard with PESQ (ITU-T P.862.2, wideband; PyPI `pesq`) against the original speech, and fails when 10 % of loss cost
# more than 0.5 against the clean run where packets carry copies (RED), or more than 1.0 where only in-band FEC repairs: libopus
# alone, with every packet's successor at hand, loses 0.67 there. Needs python3 with venv, and gcc; the tools go into target/pesq.
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
networks = [
    ("random_red", "10 % random loss, RED and FEC", 0.5),
    ("random", "10 % random loss, FEC", 1.0),
    ("gilbert", "10 % in bursts of 3, FEC", 5.0),
    ("jitter", "50 ± 20 ms", 0.5),
]
for name, title, bound in networks:
    value = score(name)
    failed |= clean - value > bound
    print(f"{title:<32} {value:.2f}  ({value - clean:+.2f})")
sys.exit(1 if failed else 0)
PYTHON
