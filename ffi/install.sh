#!/usr/bin/env bash
# Builds libpinhole and installs it under a prefix, as `cargo cinstall` would, for those without cargo-c:
#
#     ffi/install.sh PREFIX [further arguments of cargo, such as --target or --no-default-features]
#
# PREFIX/include/pinhole.h, include/pinhole.hpp (C++), lib/libpinhole.so*, lib/libpinhole.a, lib/pkgconfig/pinhole.pc,
# lib/cmake/pinhole. Linux; elsewhere use cargo-c.
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
ffi=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
shift

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ffi/../Cargo.toml" | head -1)
# Before 1.0 a minor version may break programs, so it is part of the name that they look for.
soname=libpinhole.so.${version%.*}

build() { # extension and kind of the library, then further arguments; prints what cargo says it has made
    cargo rustc --manifest-path "$ffi/Cargo.toml" --release --lib --crate-type "$2" \
        --message-format json-render-diagnostics "${@:3}" |
        grep -o '"[^"]*libpinhole_ffi\.'"$1"'"' | tr -d '"' | tail -1
}
shared=$(build so cdylib "$@" -- -C link-arg=-Wl,-soname,"$soname")
static=$(build a staticlib "$@")

mkdir -p "$prefix"/{include,lib/pkgconfig,lib/cmake/pinhole}
install -m 644 "$ffi/include/pinhole.h" "$ffi/../bindings/cpp/include/pinhole.hpp" "$prefix/include"
install -m 755 "$shared" "$prefix/lib/libpinhole.so.$version"
ln -sf "libpinhole.so.$version" "$prefix/lib/$soname"
ln -sf "$soname" "$prefix/lib/libpinhole.so"
install -m 644 "$static" "$prefix/lib/libpinhole.a"
install -m 644 "$ffi"/cmake/*.cmake "$prefix/lib/cmake/pinhole"
sed -e "s|@PREFIX@|$prefix|" -e "s/@VERSION@/$version/" "$ffi/pinhole.pc.in" >"$prefix/lib/pkgconfig/pinhole.pc"
echo "libpinhole $version is under $prefix"
