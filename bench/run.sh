#!/usr/bin/env bash
# bench/run.sh BUILD_DIR: the engine beside the machine's limit and, where PYTHON (default: python3) has the reference
# implementations (HACKING.md), beside them. docs/results.md says what it gave. About an hour; BENCH="table pipeline" picks parts.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
python=${PYTHON:-python3}
parts=${BENCH:-gemm table pipeline prompts train}
tandem=$build/bin/tandem
wants() { [[ " $parts " == *" $1 "* ]]; }
if wants gemm; then
  for precision in fp32 bf16 int8; do "$tandem" bench gemm --precision "$precision"; done
fi
if ! "$python" -c 'import open_clip' 2>/dev/null; then
  echo "open_clip is not installed for $python: the peers are left out. HACKING.md says how to install it; then PYTHON=… make bench."
  exit 0
fi
if wants table; then
  for model in ViT-B-32 ViT-L-14; do "$python" bench/table.py "$tandem" --model "$model"; done
fi
if wants pipeline; then "$python" bench/pipeline.py "$tandem"; fi
if wants prompts; then "$python" bench/prompts.py "$tandem"; fi
if wants train; then
  if [ -e data/mini/manifest.json ]; then
    cmake --build "$build" --target tandem_train_tool
    "$python" bench/train_speed.py "$build/src/train/tandem_train_tool" --steps 16 --rounds 3
  else
    echo "data/mini is missing: training is not measured. make mini-data makes it."
  fi
fi
