#!/usr/bin/env bash
# The model repository and the service on an S3-compatible server: moto (`pip install 'moto[server]'`), started here on
# loopback and ended here. MOTO names the program if it is not on the path; arguments go to cargo, such as --release.
set -euo pipefail
cd "$(dirname "$0")/../.."
port=${PORT:-5555}
log=$(mktemp)
"${MOTO:-moto_server}" -H 127.0.0.1 -p "$port" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 100); do
    curl -sf -o /dev/null -X PUT "http://127.0.0.1:$port/models" && break
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.2
done
export AWS_ENDPOINT="http://127.0.0.1:$port" AWS_ALLOW_HTTP=true AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x PINHOLE_TEST_S3=s3://models/pinhole
cargo test "$@" -p pinhole-repository --features s3 --test s3
# The last one: it ends the store to see what the service does then.
PINHOLE_TEST_S3_PID=$server cargo test "$@" -p pinhole-serve --features s3 --test service s3
