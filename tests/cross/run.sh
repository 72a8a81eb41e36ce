#!/usr/bin/env bash
# Builds the codec for other processors, runs its tests and the conformance set there under emulation, and compares.
#   tests/cross/run.sh [aarch64] [wasm] [thumb] [s390x]      (all four by default)
# Needs Debian 12 on x86-64 with cargo, and root or sudo for the packages that are missing. See README.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/cross
cross=${PINHOLE_CROSS:-$root/target/cross}
mkdir -p "$cross"
cross=$(cd "$cross" && pwd)
build=${PINHOLE_CROSS_BUILD:-$cross/build}

step() { printf '\n== %s\n' "$*"; }
fail() { printf '\nFAILED: %s\n' "$*" >&2; exit 1; }

targets=("$@")
((${#targets[@]})) || targets=(aarch64 wasm thumb s390x)
wanted() { [[ " ${targets[*]} " == *" $1 "* ]]; }
for target in "${targets[@]}"; do
    [[ " aarch64 wasm thumb s390x " == *" $target "* ]] || fail "no such target: $target"
done

# --- What the system must have -------------------------------------------------------------------------------------

as_root() {
    if ((EUID == 0)); then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "needs root or sudo for: $*"; fi
}

updated=
update() {
    [[ $updated ]] || as_root apt-get update -qq || fail "apt-get update"
    updated=1
}

# need COMMAND PACKAGE...: installs the packages if there is no such command.
need() {
    command -v "$1" >/dev/null && return
    command -v apt-get >/dev/null || fail "no $1, and no apt-get to install it with"
    update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${@:2}" >/dev/null ||
        fail "cannot install ${*:2}"
    command -v "$1" >/dev/null || fail "no $1 after installing ${*:2}"
}

step "Tools"
command -v cargo >/dev/null || fail "no cargo"
if wanted aarch64; then
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    need qemu-aarch64-static qemu-user-static
fi
if wanted s390x; then
    need s390x-linux-gnu-gcc gcc-s390x-linux-gnu libc6-dev-s390x-cross
    need qemu-s390x-static qemu-user-static
fi
if wanted wasm; then
    need wasm-ld-19 lld-19
    need node nodejs
    major=$(node --version | sed 's/v\([0-9]*\).*/\1/')
    ((major >= 18)) || fail "Node 18 or later is needed, this is $(node --version)"
fi
if wanted thumb; then
    need ld.lld-19 lld-19
    need size binutils
fi

# --- A Rust that has the sources of its standard library ------------------------------------------------------------

# Debian's packages are unpacked beside the normal toolchain, not installed. Only this script uses them.
rust=$cross/rust
if [[ ! -f $rust/complete ]]; then
    step "Rust from Debian's archive (about 230 MB, once)"
    command -v dpkg >/dev/null || fail "no dpkg: this needs Debian"
    if ! dpkg --print-foreign-architectures | grep -qx arm64; then
        as_root dpkg --add-architecture arm64
        # What was fetched before has nothing of it.
        updated=
    fi
    update
    rm -rf "$rust" "$cross/debs"
    mkdir -p "$rust" "$cross/debs"
    # The library package carries the compiler's version in its name.
    library=$(apt-cache depends rustc-web libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -1)
    [[ $library ]] || fail "this archive has no rustc-web: is the security archive of Debian 12 enabled?"
    llvm=$(apt-cache depends "$library" rustc-web | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p' | head -1)
    [[ $llvm ]] || fail "cannot tell which LLVM $library needs"
    (cd "$cross/debs" && apt-get download -qq rustc-web "$library" libstd-rust-web-dev libstd-rust-web-dev:arm64 \
        rust-web-src "$llvm") || fail "cannot download Rust from Debian's archive"
    for package in "$cross"/debs/*.deb; do
        dpkg -x "$package" "$rust"
    done
    touch "$rust/complete"
fi
export RUSTC=$rust/usr/bin/rustc
export LD_LIBRARY_PATH=$rust/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$RUSTC" --version || fail "the unpacked compiler does not run"
# A wrapper would be asked to run another compiler than it knows.
unset RUSTC_WRAPPER RUSTFLAGS

# --- Linux: cargo's own tests, under emulation ----------------------------------------------------------------------

# linux TARGET QEMU KERNELS CARGO-ARGUMENT...: the library's tests once, the conformance set with each of the kernels.
linux() {
    local target=$1 qemu=$2 kernels=$3
    local name=${target^^} gnu=${target/-unknown/}
    name=${name//-/_}
    export "CARGO_TARGET_${name}_LINKER=$gnu-gcc" "CARGO_TARGET_${name}_RUNNER=$qemu -L /usr/$gnu"
    local test=(cargo test --manifest-path "$root/Cargo.toml" --target "$target" --target-dir "$build" "${@:4}" -p pinhole)
    step "$target: tests of the library"
    "${test[@]}" --lib || fail "$target: tests of the library"
    for isa in $kernels; do
        step "$target: conformance set, kernels $isa"
        PINHOLE_ISA=$isa "${test[@]}" --test conformance -- --nocapture 2>&1 | tee "$build/log"
        # A processor that lacks the kernels would silently use others.
        grep -q "^kernels: $isa$" "$build/log" || fail "$target: kernels $isa are not there"
    done
}

if wanted aarch64; then
    linux aarch64-unknown-linux-gnu qemu-aarch64-static "dotprod neon scalar"
fi

if wanted s390x; then
    export RUSTC_BOOTSTRAP=1
    linux s390x-unknown-linux-gnu qemu-s390x-static "scalar" -Zbuild-std=std,test
    unset RUSTC_BOOTSTRAP
fi

# --- WebAssembly: the harness, in Node ------------------------------------------------------------------------------

if wanted wasm; then
    for features in "" "+simd128"; do
        step "wasm32 ${features:-without simd128}"
        folder=$build/wasm$features
        RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C target-feature=$features" \
            CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
            cargo build --manifest-path "$here/harness/Cargo.toml" --release --target wasm32-unknown-unknown \
            --target-dir "$folder" -Zbuild-std=std,panic_abort || fail "wasm32: build"
        node "$here/node.mjs" "$folder/wasm32-unknown-unknown/release/pinhole_cross_harness.wasm" "$root" ||
            fail "wasm32 ${features:-without simd128}"
    done
fi

# --- A bare microcontroller: built and measured ----------------------------------------------------------------------

if wanted thumb; then
    for features in "" decoder; do
        step "thumbv7em-none-eabihf: encoder${features:+ and decoder}"
        RUSTC_BOOTSTRAP=1 CARGO_TARGET_THUMBV7EM_NONE_EABIHF_LINKER=ld.lld-19 RUSTFLAGS="-C linker-flavor=ld.lld" \
            cargo build --manifest-path "$here/device/Cargo.toml" --release --target thumbv7em-none-eabihf \
            --features "$features" --target-dir "$build/thumb" -Zbuild-std=core,alloc || fail "thumbv7em: build"
        echo "Stripped code and constants (text), in bytes:"
        size "$build/thumb/thumbv7em-none-eabihf/release/pinhole-cross-device"
    done
    step "thumbv7em-none-eabihf: encoder of sensor streams"
    size "$build/thumb/thumbv7em-none-eabihf/release/pinhole-cross-sensor"
fi

step "All passed: ${targets[*]}"
