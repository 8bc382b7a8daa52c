#!/usr/bin/env bash
# bench/run.sh BUILD_DIR: the engine beside the machine's limit and, where PYTHON (default: python3) has the reference
# implementations (HACKING.md), beside them. docs/results.md says what it gave.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
python=${PYTHON:-python3}
"$build/bin/tandem" bench gemm
for precision in fp32 bf16; do "$build/src/engine/engine_bench" "$precision" "$(nproc)" 5; done
if ! "$python" -c 'import open_clip' 2>/dev/null; then
  echo "open_clip is not installed for $python: the peers are left out. HACKING.md says how to install it; then PYTHON=… make bench."
  exit 0
fi
"$python" bench/engine_peers.py "$build/src/engine/engine_bench" 3
if [ -e data/mini/manifest.json ]; then
  "$python" bench/train_speed.py "$build/src/train/tandem_train_tool" --steps 16 --rounds 3
else
  echo "data/mini is missing: training is not measured. make mini-data makes it."
fi
