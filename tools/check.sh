#!/usr/bin/env bash
# Format and layer checks; clang-tidy too when asked with TIDY=1 (slow). Exits 1 at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.h' '*.cc' | xargs clang-format-19 --dry-run -Werror
echo "format: $(git ls-files '*.h' '*.cc' | wc -l) files as clang-format 19 writes them"
python3 tools/layers.py
if [ -n "${TIDY:-}" ]; then
  git ls-files 'src/*.cc' | grep -v _test.cc | xargs -P 2 -n 4 clang-tidy-19 -p build/release --quiet
fi
