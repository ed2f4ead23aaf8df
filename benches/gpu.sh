#!/bin/sh
# Compositor figures on a machine with a GPU: the driver's Vulkan loader and ICD must be there (Debian: libvulkan1 and the
# vendor's package; NVIDIA's driver brings its own). Arguments: a part of the adapter's name, nothing for the best one.
#   benches/gpu.sh            the best hardware adapter
#   benches/gpu.sh llvmpipe   Mesa's software adapter, to try the script
set -eu
cd "$(dirname "$0")/.."
export TESSERA_ADAPTER="${1:-}"
# The same pixels as the processor's twin, on this very adapter; then the figures, then the twin's beside them.
cargo test --release --locked --lib compose::gpu -- --nocapture
cargo bench --locked --bench compose_gpu
cargo bench --locked --bench compose
