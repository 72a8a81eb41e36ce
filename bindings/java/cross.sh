#!/usr/bin/env bash
# Builds small aarch64 libraries, checks their symbols against the Java classes, and says how large they are.
#   bindings/java/cross.sh
# Needs what `tests/cross/run.sh aarch64` has fetched once (Debian's Rust for aarch64 and its C compiler), and a JDK.
# Environment: PINHOLE_CROSS as for that script; PINHOLE_CROSS_BUILD for the build folder; PINHOLE_CODEC_OPT for the
# optimisation of the codec (3; s is smaller, and slow); PINHOLE_PANIC for that of panics (unwind).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cross=${PINHOLE_CROSS:-$root/target/cross}
build=${PINHOLE_CROSS_BUILD:-$cross/build}
target=aarch64-unknown-linux-gnu
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
[[ -f $cross/rust/complete ]] || fail "no Rust in $cross: run tests/cross/run.sh aarch64 first"
for tool in cargo javac aarch64-linux-gnu-gcc aarch64-linux-gnu-nm; do
    command -v "$tool" >/dev/null || fail "no $tool"
done

export RUSTC=$cross/rust/usr/bin/rustc
export LD_LIBRARY_PATH=$cross/rust/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
unset RUSTC_WRAPPER
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# Pages of 16 KiB, as Android asks for since version 15.
export RUSTFLAGS="-C link-arg=-Wl,-z,max-page-size=16384 -C link-arg=-Wl,--gc-sections"
# Small code but for the codec, whose kernels need their speed. Panics unwind: one must reach Java as an exception, not end the app.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
export CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_DEBUG=false
export CARGO_PROFILE_RELEASE_PANIC=${PINHOLE_PANIC:-unwind}

# A level is a number or, in quotes, a letter.
codec=${PINHOLE_CODEC_OPT:-3}
[[ $codec == [0-9] ]] || codec="\"$codec\""

# Native methods as the compiler sees them: javac writes a header for each class that has some.
headers=$(mktemp -d)
trap 'rm -rf "$headers"' EXIT
javac -d "$headers" -h "$headers" "$here"/src/main/java/pinhole/*.java
declared() { grep -ho 'Java_[A-Za-z0-9_]*' "${@/#/$headers/pinhole_}" | sort -u; }

# library NAME FEATURES HEADER...: builds, checks that exactly the methods of these headers are exported, and measures.
library() {
    local name=$1 features=$2 out=$build/java/$1
    mkdir -p "$out"
    cargo build --manifest-path "$root/Cargo.toml" --release --target "$target" --target-dir "$build/java" \
        --config "profile.release.package.pinhole.opt-level=$codec" \
        -p pinhole-jni --no-default-features --features "$features" --quiet
    cp "$build/java/$target/release/libpinhole_jni.so" "$out/"
    aarch64-linux-gnu-nm -D --defined-only "$out/libpinhole_jni.so" | sed -n 's/.* T //p' | sort >"$out/symbols"
    diff <(declared "${@:3}") "$out/symbols" >&2 || fail "$name: other symbols (>) than native methods (<)"
    printf '%s: %s native methods, %s bytes\n' "$name" "$(wc -l <"$out/symbols")" "$(stat -c %s "$out/libpinhole_jni.so")"
    aarch64-linux-gnu-size "$out/libpinhole_jni.so" | tail -1 |
        awk '{ printf "    code and constants %d, data %d\n", $1, $2 }'
}

library encoder "" Native.h
library encoder-decoder decoder Native.h DecoderNative.h
