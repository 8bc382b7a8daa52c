#!/usr/bin/env bash
# schemathesis.sh BUILD [CASES]: about so many generated requests against everything that /openapi.json describes. Fails on any
# 5xx and on any answer that the document does not describe: its status, type, headers or shape. For a quiet machine: on one that is
# busy with other things a request may wait longer than the queue's deadline, and 503 says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
build=$(realpath "${1:-build/release}")
cases=${2:-20000}
tests/serve/clients_venv.sh schemathesis
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir "$folder/pictures"
find assets/samples -name 'twemoji-*.png' | sort | head -40 | xargs cp -t "$folder/pictures"
"$build/bin/tandem" index "$folder/pictures" --to "$folder/pics.tandem" --quiet >/dev/null
"$build/bin/tandem" serve "$folder/pics.tandem" --writable --port 0 --json >"$folder/url" &
server=$!
for _ in $(seq 100); do [ -s "$folder/url" ] && break; sleep 0.1; done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$folder/url")
operations=$(curl -sf "$url/openapi.json" | grep -o '"operationId"' | wc -l)
# Some operations take nothing, and have few different requests.
examples=$((cases / (operations * 4 / 7) + 1))
echo "schemathesis: $operations operations, $examples examples each" >&2
cd "$folder"  # it keeps a cache where it runs
"$top/.deps/clients/bin/schemathesis" run "$url/openapi.json" --phases=examples,fuzzing,coverage --mode=all --max-examples="$examples" \
  --checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
  --suppress-health-check=all --generation-deterministic --continue-on-failure --request-timeout=30 \
  --report=junit --report-dir="$build/schemathesis" --no-color
kill -0 "$server"  # it is still there
