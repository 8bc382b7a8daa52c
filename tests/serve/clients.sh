#!/usr/bin/env bash
# clients.sh BUILD: the server's dialects, asked by the real clients. Makes their environment first.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/serve/clients_venv.sh openai huggingface_hub mcp requests numpy clip-retrieval
.deps/clients/bin/python tests/serve/clients_test.py --bin "${1:-build/release}/bin/tandem"
