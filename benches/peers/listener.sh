#!/usr/bin/env bash
# Throughput over HTTP with 16 connections: the listener of broker-aws in memory, on sled and on the log (both synced), against moto and
# fauxqs, in the same run. The peers are installed from their registries into a directory that is removed at the end.
#
#     benches/peers/listener.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build -q --release -p broker-benches --bin listener --locked
listener="$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/listener"

# Under the build directory and not in a temporary one, which may be memory: a sync must reach a disk.
work="$(mktemp -d "$(dirname "$listener")/listener-XXXXXX")"
servers=()
clean_up() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Waits until something listens on this port.
await_port() {
    for _ in $(seq 300); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    echo "nothing listens on port $1" >&2
    exit 1
}

peers=()
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check 'moto[server,sqs]'
port="$(free_port)"
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/moto" 2>&1 &
servers+=($!)
await_port "$port"
peers+=("moto=127.0.0.1:$port")

mkdir "$work/js"
(cd "$work/js" && npm install --silent --no-audit --no-fund --no-package-lock fauxqs)
port="$(free_port)"
(cd "$work/js" && exec env FAUXQS_PORT="$port" FAUXQS_LOGGER=false node node_modules/.bin/fauxqs) >"$work/fauxqs" 2>&1 &
servers+=($!)
await_port "$port"
peers+=("fauxqs=127.0.0.1:$port")

for store in memory sled log; do
    "$listener" serve "$store" "$work/$store" >"$work/address" &
    servers+=($!)
    for _ in $(seq 100); do [ -s "$work/address" ] && break || sleep 0.1; done
    peers+=("broker-aws, $store=$(cat "$work/address")")
    mv "$work/address" "$work/address-$store"
done
"$listener" load "${peers[@]}"
