#!/usr/bin/env bash
# Installs the library into a folder of its own, compiles examples and tests against it as C11 and C++17 with warnings as
# errors, and runs them plainly, with AddressSanitizer and UndefinedBehaviorSanitizer, and under Valgrind; then the
# CMake package, installed and in the source tree. Needs gcc, g++, pkg-config, valgrind; CMake if PINHOLE_CMAKE=1,
# otherwise its part is left out where there is none. About two minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
out=$target/ffi-tests
rm -rf "$out"
mkdir -p "$out"

step() { printf '\n== %s\n' "$*"; }

step "Install"
ffi/install.sh "$out/prefix"
cargo build --release -p pinhole-ffi
export PKG_CONFIG_PATH=$out/prefix/lib/pkgconfig LD_LIBRARY_PATH=$out/prefix/lib

step "The shared library exports what the header declares, and nothing else"
nm -D --defined-only "$out/prefix/lib/libpinhole.so" | awk '{print $3}' | sort >"$out/exported"
grep -o '\bpinhole_[a-z_]*(' ffi/include/pinhole.h | tr -d '(' | sort -u >"$out/declared"
diff "$out/declared" "$out/exported"
objdump -p "$out/prefix/lib/libpinhole.so" | grep -q 'SONAME *libpinhole\.so\.[0-9.]*$'

warnings=(-g -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
read -ra flags <<<"$(pkg-config --cflags --libs pinhole) -lpthread"
read -ra static <<<"-I$out/prefix/include $out/prefix/lib/libpinhole.a $(pkg-config --libs-only-l --static pinhole | sed 's/-lpinhole//') -lpthread"
c() { gcc -std=c11 -D_POSIX_C_SOURCE=200809L "${warnings[@]}" "$@"; }
cpp() { g++ -std=c++17 "${warnings[@]}" -Woverloaded-virtual "$@"; }

step "Compile"
# The header by itself, in either language and in other versions of them.
for standard in c99 c11 c17; do
    echo '#include <pinhole.h>' | gcc -std=$standard "${warnings[@]}" -Iffi/include -fsyntax-only -xc -
done
for standard in c++11 c++17 c++20; do
    echo '#include <pinhole.h>' | g++ -std=$standard "${warnings[@]}" -Iffi/include -fsyntax-only -xc++ -
done
build() { # suffix, compiler flags, then how to link
    local suffix=$1
    shift
    for test in api hostile conformance sensor; do
        c "ffi/tests/c/$test.c" -o "$out/$test$suffix" "$@" -lm
    done
    c ffi/examples/transcode.c -o "$out/transcode$suffix" "$@"
    cpp bindings/cpp/tests/test.cpp -o "$out/cpp$suffix" "$@"
    cpp bindings/cpp/examples/transcode.cpp -o "$out/transcode-cpp$suffix" "$@"
}
build "" "${flags[@]}"
build -static "${static[@]}"
build -asan -fsanitize=address,undefined -fno-sanitize-recover=all "${flags[@]}"

set=$root/tests/conformance
photo=$root/models/zoo/photo/photo.pinm
# A picture with edges, for the example: 96 by 64 pixels.
{ printf 'P6\n96 64\n255\n'; head -c $((96 * 64 * 3)) "$photo" | tr '\200-\377' '\0-\177'; } >"$out/in.ppm"

all() { # suffix, then what to run programs under
    local suffix=$1
    shift
    "$@" "$out/api$suffix" "$set/toy.pinm"
    "$@" "$out/hostile$suffix" "$set/toy.pinm"
    "$@" "$out/sensor$suffix"
    "$@" "$out/conformance$suffix" "$set/toy.pinm" "$set/frozen.txt" "$set/frozen"
    "$@" "$out/conformance$suffix" "$set/toy.pinm" "$set/v1.txt"
    "$@" "$out/conformance$suffix" "$photo" "$set/photo.txt"
    "$@" "$out/transcode$suffix" "$out/in.ppm" "$out/out.pin" "$out/out.ppm" 80
    cmp <(head -c 13 "$out/in.ppm") <(head -c 13 "$out/out.ppm")
    "$@" "$out/cpp$suffix" "$set/toy.pinm"
    "$@" "$out/transcode-cpp$suffix"
}
step "Run"
all ""
step "Run, linked statically"
all -static env -u LD_LIBRARY_PATH
step "Run with AddressSanitizer"
all -asan
step "Run under Valgrind"
# What rayon's threads hold when the program ends is reachable, or possibly lost by Valgrind's rules.
all "" valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
    --show-leak-kinds=definite

if command -v cmake >/dev/null || [[ ${PINHOLE_CMAKE:-} == 1 ]]; then
    package() { # name, then where the package is
        step "CMake, $1"
        cmake -S ffi/tests -B "$out/cmake-$1" -DCMAKE_BUILD_TYPE=Release "${@:2}" >"$out/cmake-$1.log"
        cmake --build "$out/cmake-$1" >>"$out/cmake-$1.log"
        (unset LD_LIBRARY_PATH && cd "$out/cmake-$1" && ctest --output-on-failure)
    }
    package installed -DCMAKE_PREFIX_PATH="$out/prefix"
    package built -Dpinhole_DIR="$root/ffi/cmake" -DPINHOLE_LIBRARY_DIR="$target/release"
else
    step "CMake: left out, it is not here"
fi
step "All passed"
