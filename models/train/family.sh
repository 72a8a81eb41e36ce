#!/usr/bin/env bash
# All that shares the latent space of a pair, from its last checkpoint to bundles: 70 minutes on two Zen 5 cores.
#   ./family.sh PHOTOS VERSION
# Reads runs/photo-pair/last.ckpt, and runs/photo/last.ckpt for where `fast` and `lite` begin (`recover` makes one of a
# bundle). Writes runs/photo.pinm, runs/photo-hq.pinm and runs/photo-gan.pinm. Interrupted, it goes on where it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
photos=$1 version=$2
python=${PYTHON:-python}
pinhole=${PINHOLE:-../../target/release/pinhole} # built with --features pack
# One thread a process: stages run side by side.
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

run() { "$python" -m pinhole_train "$@"; }
stages() { for name; do run train "configs/$name.toml" --data "$photos" --out "runs/$name"; done; }
decoders() { run decoder "${@/#/configs/decoders/}" --codec runs/photo-family/last.ckpt --data "$photos" --out runs/decoders; }
# Runs two commands side by side; ends the script if either fails.
both() {
    $1 &
    local first=$!
    $2 &
    wait "$first"
    wait $!
}
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

run join runs/photo-pair/last.ckpt analyses.fast=runs/photo/last.ckpt syntheses.lite=runs/photo/last.ckpt \
    --out runs/photo-joined/last.ckpt
both "stages photo-fast-follow photo-fast" "stages photo-lite photo-standard"
run join runs/photo-joined/last.ckpt analyses.fast=runs/photo-fast/last.ckpt \
    syntheses.lite=runs/photo-lite/last.ckpt syntheses.standard=runs/photo-standard/last.ckpt --out runs/photo-family/last.ckpt

run export runs/photo-family/last.ckpt --data "$photos" --out runs/export --lambda-range 2e-4 0.4 --name photo --version "$version"
"$pinhole" model pack runs/export -o runs/photo.pinm --check ../../samples/{coffee,chelsea,astronaut}.png

both "decoders photo-hq.toml" "decoders photo-perceptual.toml photo-gan.toml photo-student.toml"
run export-decoder runs/decoders/photo-{hq,student}/decoder.ckpt --out runs/export-decoders
for pair in hq:hq student:gan; do
    from=runs/export-decoders/photo-${pair%:*}
    "$pinhole" model pack-decoder "$from.onnx" --decoder "${pair#*:}" --manifest "$from.json" -o "runs/photo-${pair#*:}.pinm"
done
