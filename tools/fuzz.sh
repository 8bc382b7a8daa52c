#!/usr/bin/env bash
# Builds every fuzz target with clang-19, AddressSanitizer and UBSan in build/fuzz and runs each for SECONDS.
#   tools/fuzz.sh SECONDS [TARGET…]
# Limits: 2 s an input, 512 MB, 256 MB in one allocation. What is found is left in build/fuzz/found/TARGET;
# what reaches new code is kept in build/fuzz/corpus/TARGET and grown by the next run. Exits 1 on a finding.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?"usage: tools/fuzz.sh SECONDS [TARGET…]"}
shift
source_dir=${TANDEM_FUZZ_SOURCE:-.}
build=${TANDEM_FUZZ_BUILD:-build/fuzz}

mkdir -p "$build"
# No target uses the engine, whose OpenMP clang may lack: GCC's library stands in for configuring.
openmp=(-DOpenMP_CXX_FLAGS=-fopenmp -DOpenMP_CXX_LIB_NAMES=gomp "-DOpenMP_gomp_LIBRARY=$(g++ -print-file-name=libgomp.so)")
cmake -G Ninja -S "$source_dir" -B "$build" -Wno-dev -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DTANDEM_FUZZ=ON -DTANDEM_TORCH=OFF -DTANDEM_SANITIZE=address,undefined \
  -DCMAKE_CXX_FLAGS=-fsanitize=fuzzer-no-link "${openmp[@]}" >"$build/configure.log" 2>&1 || { tail -20 "$build/configure.log"; exit 1; }
cmake --build "$build" --target fuzz_targets -j "${JOBS:-$(nproc)}" >"$build/build.log" 2>&1 || { tail -40 "$build/build.log"; exit 1; }

# Files of the right kind to begin with.
seeds_for() {
  case "$1" in
    safetensors_fuzz) echo tests/goldens/safetensors ;;
    npy_fuzz) echo tests/goldens/npy ;;
    npz_fuzz) echo tests/goldens/npz ;;
    webdataset_fuzz) echo tests/goldens/webdataset ;;
    json_fuzz|registry_fuzz) echo assets/models ;;
    image_fuzz) echo tests/goldens/images ;;
    tokenizer_fuzz|text_clean_fuzz) echo tests/goldens/text ;;
    model_config_fuzz) echo tests/goldens/fuzz/model_config ;;
    quantised_fuzz|tensor_names_fuzz) echo tests/goldens/fuzz/tensors ;;
    graph_fuzz) echo tests/goldens/fuzz/graph ;;
    item_filter_fuzz) echo tests/goldens/fuzz/item_filter ;;
    multipart_fuzz) echo tests/goldens/fuzz/multipart ;;
    sentencepiece_fuzz|tokenizer_json_fuzz) echo tests/goldens/tokenizers ;;
  esac
}

targets=("$@")
[ ${#targets[@]} -gt 0 ] || for target in "$build"/tests/fuzz/*_fuzz; do targets+=("$(basename "$target")"); done
status=0
for target in "${targets[@]}"; do
  corpus="$build/corpus/$target"
  found="$build/found/$target"
  mkdir -p "$corpus" "$found"
  seeds=$(seeds_for "$target")
  [ -d "${seeds:-}" ] || seeds=
  if "$build/tests/fuzz/$target" "$corpus" $seeds -max_total_time="$seconds" -timeout=2 -rss_limit_mb=512 \
      -malloc_limit_mb=256 -max_len=65536 -print_final_stats=1 -artifact_prefix="$found/" >"$build/$target.log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
    printf 'fuzz: %-18s %12s inputs, nothing found\n' "$target" "$runs"
  else
    status=1
    printf 'fuzz: %-18s FOUND something; see %s\n' "$target" "$build/$target.log"
    grep -m3 -E 'ERROR|SUMMARY|runtime error' "$build/$target.log" || tail -5 "$build/$target.log"
  fi
done
exit $status
