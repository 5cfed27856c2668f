#!/usr/bin/env bash
# Real clients against the program: boto3, the JavaScript package sqs-consumer, and async-kinesis.
#
#     broker-aws/tests/clients/run.sh [path of the program]
#
# The clients are installed from their registries into a directory of their own, caches included, which is removed at the end. What cannot
# be tested because there is no Python, no Node or no way to a registry is said aloud, and is no failure.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
program="${1:-}"
if [ -z "$program" ]; then
    cd "$here/../../.."
    cargo build -q -p broker-aws --features cli --locked
    program="$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/broker-aws"
fi

work="$(mktemp -d)"
servers=()
clean_up() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT

skipped() { printf '\n--- SKIPPED: %s\n--- nothing was tested with it\n\n' "$*"; }

# Installs Python packages into a place of their own, and says so if they cannot be had.
python_with() {
    python3 -m venv "$work/$1"
    "$work/$1/bin/pip" install -q --disable-pip-version-check --retries 1 --timeout 15 "$1" && return
    skipped "$1: it cannot be installed, is there a way to the registry?"
    return 1
}

# Starts the program with these arguments; its endpoint is in $endpoint then.
serve() {
    "$program" serve --port 0 "$@" >"$work/output" 2>"$work/errors" &
    servers+=($!)
    for _ in $(seq 100); do
        endpoint="$(head -n 1 "$work/output")"
        [ -n "$endpoint" ] && return
        sleep 0.1
    done
    echo "the program does not start:" && cat "$work/errors" && exit 1
}

unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_EC2_METADATA_DISABLED=true
export PIP_CACHE_DIR="$work/pip" PYTHONDONTWRITEBYTECODE=1 npm_config_cache="$work/npm" npm_config_update_notifier=false

boto3() {
    serve --data-dir "$work/data"
    "$work/boto3/bin/python" "$here/boto.py" "$endpoint"
    serve
    AWS_ENDPOINT_URL="$endpoint" "$work/boto3/bin/python" "$here/../../examples/boto3_worker.py" >"$work/worker"
    grep -qx "shipped socks" "$work/worker"
    grep -qx "not shipped a house" "$work/worker"
    echo "    the example: as it says"
    echo "=== boto3, signatures checked (at $SECONDS s)"
    serve --access-key "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
    "$work/boto3/bin/python" "$here/boto.py" "$endpoint"
    serve --access-key "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" --refuse-replays
    "$work/boto3/bin/python" "$here/boto_signed.py" "$endpoint"
}

async_kinesis() {
    serve
    "$work/async-kinesis/bin/python" "$here/consume_stream.py" "$endpoint"
}

sqs_consumer() {
    serve
    node "$work/js/consume_queue.mjs" "$endpoint"
}

if python3 -c 'import venv, ensurepip' 2>/dev/null; then
    echo "=== boto3 (at $SECONDS s)"
    if python_with boto3; then boto3; fi
    echo "=== async-kinesis (at $SECONDS s)"
    if python_with async-kinesis; then async_kinesis; fi
else
    skipped "boto3 and async-kinesis: there is no Python 3 with venv"
fi

if command -v node >/dev/null && command -v npm >/dev/null; then
    echo "=== sqs-consumer (at $SECONDS s)"
    mkdir "$work/js"
    cp "$here/consume_queue.mjs" "$work/js"
    if (cd "$work/js" && npm install --silent --no-audit --no-fund --no-package-lock --fetch-retries 1 --fetch-timeout 15000 \
        sqs-consumer @aws-sdk/client-sqs); then
        sqs_consumer
    else
        skipped "sqs-consumer: it cannot be installed, is there a way to the registry?"
    fi
else
    skipped "sqs-consumer: there is no Node"
fi
echo "=== clients passed (at $SECONDS s)"
