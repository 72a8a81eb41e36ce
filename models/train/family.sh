#!/usr/bin/env bash
# All that shares the latent space of a pair, from its last checkpoint to bundles: 75 minutes on two Zen 5 cores.
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
# Stages of float decoders on the latents of a codec.
decoders() {
    local configs=("${@:2}")
    configs=("${configs[@]/#/configs/decoders/photo-}")
    run decoder "${configs[@]/%/.toml}" --codec "runs/$1/last.ckpt" --data "$photos" --out runs/decoders
}

bundle() {
    stages photo-fast-follow photo-fast photo-lite photo-standard photo-standard-masked photo-standard-masked-2
    run join runs/photo-joined/last.ckpt analyses.fast=runs/photo-fast/last.ckpt \
        syntheses.lite=runs/photo-lite/last.ckpt syntheses.standard=runs/photo-standard-masked-2/last.ckpt --out runs/photo-family/last.ckpt
    run export runs/photo-family/last.ckpt --data "$photos" --out runs/export --lambda-range 2e-4 0.4 --name photo --version "$version"
    "$pinhole" model pack runs/export -o runs/photo.pinm --check ../../samples/{coffee,chelsea,astronaut}.png
}
# Packs the decoder of a stage under its name in the family.
pack_decoder() {
    run export-decoder "runs/decoders/photo-$1/decoder.ckpt" --out runs/export-decoders
    "$pinhole" model pack-decoder "runs/export-decoders/photo-$1.onnx" --decoder "$2" --manifest "runs/export-decoders/photo-$1.json" \
        -o "runs/photo-$2.pinm"
}
hq() { decoders photo-joined hq && pack_decoder hq hq; }

run join runs/photo-pair/last.ckpt analyses.fast=runs/photo/last.ckpt syntheses.lite=runs/photo/last.ckpt \
    --out runs/photo-joined/last.ckpt
# `hq` begins with the synthesis of the pair, for it takes longest.
hq &
hq=$!
trap 'pkill -P $hq || true' EXIT
bundle
decoders photo-family perceptual gan student
pack_decoder student gan
wait $hq
