#!/usr/bin/env bash
# Builds the smallest library that encodes photographs, stripped, with each effort's part of the shipped model embedded,
# and tells its size; then calls it.
#   tests/cross/size.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${PINHOLE_CROSS_BUILD:-$root/target/cross/build}
mkdir -p "$build"
for effort in fast default; do
    export PINHOLE_DEVICE_MODEL=$build/$effort.pinm
    cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p pinhole --example slim -- \
        "$root/models/zoo/photo/photo.pinm" "$PINHOLE_DEVICE_MODEL" "$effort"
    cargo build --quiet --release --manifest-path "$root/tests/cross/library/Cargo.toml" --target-dir "$build"
    library=$build/release/libpinhole_cross_library.so
    python3 - "$library" <<'PYTHON'
import ctypes, sys
encode = ctypes.CDLL(sys.argv[1]).pinhole_encode_rgb
encode.argtypes = [ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_float, ctypes.c_char_p, ctypes.c_size_t]
encode.restype = ctypes.c_size_t
file = ctypes.create_string_buffer(1 << 16)
assert 0 < encode(bytes(range(192)) * 64, 64, 64, 50, file, len(file)) < 4096 and file.raw[:1] != b"\0", "does not encode"
PYTHON
    printf '%s: %d bytes, of which %d are the bundle\n' "$effort" "$(stat -c %s "$library")" "$(stat -c %s "$PINHOLE_DEVICE_MODEL")"
done
