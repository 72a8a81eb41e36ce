#!/usr/bin/env bash
# Builds the native library for this machine, the jar that contains it, and runs the tests.
#   bindings/java/build.sh [MAVEN-ARGUMENT...]          (default: package, which runs the tests)
# Needs cargo, a JDK of 17 or later and Maven; on Debian the latter two are installed if they are missing (root or
# sudo). Where Maven reaches no repository (PINHOLE_MAVEN=debian asks for it), so are plugins and JUnit.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# packages PACKAGE...: installs Debian's packages that are missing.
packages() {
    dpkg -s "$@" >/dev/null 2>&1 && return
    local as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
        fail "cannot install $*"
}

command -v cargo >/dev/null || fail "no cargo"
if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
    command -v apt-get >/dev/null || fail "a JDK (javac) and Maven (mvn) are needed"
    packages openjdk-17-jdk-headless maven
fi

cargo build --manifest-path "$root/Cargo.toml" --release -p pinhole-jni
built=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
# The names that Library.java asks for.
case $(uname -s) in
    Linux) system=linux file=libpinhole_jni.so ;;
    Darwin) system=mac file=libpinhole_jni.dylib ;;
    *) fail "this script knows Linux and macOS only" ;;
esac
case $(uname -m) in
    x86_64) processor=amd64 ;;
    arm64 | aarch64) processor=aarch64 ;;
    *) processor=$(uname -m) ;;
esac
[[ $system-$processor != mac-amd64 ]] || processor=x86_64
natives=$here/target/natives/native/$system-$processor
mkdir -p "$natives"
cp "$built/$file" "$natives/$file"
strip -x "$natives/$file"

maven=(mvn -B -ntp -f "$here/pom.xml")
debian=${PINHOLE_MAVEN:-}
if [[ ! $debian ]]; then
    # One small file of a plugin that is needed anyway tells whether there is a repository.
    "${maven[@]}" -q validate resources:help >/dev/null 2>&1 || debian=debian
fi
if [[ $debian == debian ]]; then
    packages junit5 libmaven-compiler-plugin-java libmaven-jar-plugin-java libmaven-resources-plugin-java \
        libsurefire-java
    # A local repository of its own: Debian's files must not mix with those of the same version from elsewhere.
    maven+=(-s "$here/debian-settings.xml" "-Dmaven.repo.local=$here/target/debian-repository")
fi
(($#)) || set -- package
"${maven[@]}" "$@"
