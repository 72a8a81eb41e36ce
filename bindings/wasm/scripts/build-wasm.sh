#!/usr/bin/env bash
# Builds the module twice, with and without SIMD: dist/pinhole.wasm and dist/pinhole-scalar.wasm.
# Uses rustup's wasm32-unknown-unknown if it is installed. Otherwise Debian's Rust as tests/cross/run.sh unpacks it
# (PINHOLE_CROSS says where), which builds the standard library from its sources.
set -euo pipefail
package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$(cd "$package/../.." && pwd)
cross=${PINHOLE_CROSS:-$root/target/cross}
target=wasm32-unknown-unknown
builds=${CARGO_TARGET_DIR:-$root/target}/wasm-package

arguments=()
# Paths of the machine that builds are nobody's business.
paths="--remap-path-prefix=$root=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
if [[ ! -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
    [[ -f $cross/rust/complete ]] || {
        echo "No Rust for $target: run 'rustup target add $target', or 'tests/cross/run.sh wasm' on Debian 12." >&2
        exit 1
    }
    export RUSTC=$cross/rust/usr/bin/rustc RUSTC_BOOTSTRAP=1
    export LD_LIBRARY_PATH=$cross/rust/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
    arguments=(-Zbuild-std=std,panic_abort)
    paths+=" --remap-path-prefix=$cross/rust=rust"
    # A wrapper would be asked to run another compiler than it knows.
    unset RUSTC_WRAPPER
fi

mkdir -p "$package/dist"
for build in pinhole:+simd128 pinhole-scalar:-simd128; do
    name=${build%%:*} feature=${build#*:}
    RUSTFLAGS="-C target-feature=$feature $paths" cargo build --manifest-path "$package/Cargo.toml" -p pinhole-wasm --lib --profile wasm \
        --target $target --target-dir "$builds/$name" "${arguments[@]}"
    cp "$builds/$name/$target/wasm/pinhole.wasm" "$package/dist/$name.wasm"
done
ls -l "$package"/dist/*.wasm
