#!/usr/bin/env bash
# Shows Tandem at work on the sample pictures: tools/demo.sh BUILD_DIR. The model is `mini`, or DEMO_MODEL.
set -euo pipefail
cd "$(dirname "$0")/.."
tandem=${1:-build/release}/bin/tandem
model=${DEMO_MODEL:-mini}
out=out/demo
samples=assets/samples
mkdir -p "$out"

say() { printf '\n%s\n' "$1"; }
show() { printf '  $ tandem'; printf ' %s' "${@@Q}" | sed "s/'\([A-Za-z0-9_.\/=-]*\)'/\1/g"; printf '\n\n'; "$tandem" "$@"; }

say "1. Index $(find "$samples" -name '*.png' | wc -l) pictures that the model has never seen (a second run has nothing left to do):"
# A collection made with another model is of no use here.
"$tandem" search "$out/samples.tandem" any --model "$model" >/dev/null 2>&1 || rm -rf "$out/samples.tandem"
show index "$samples" --to "$out/samples.tandem" --captions "$samples/captions.tsv" --model "$model"

say "2. Search them by words:"
show search "$out/samples.tandem" "police car" --top 4

say "3. By words without others:"
show search "$out/samples.tandem" "police car" --top 4 -- "police"

say "   Something is always nearest. What scores no better than captions that fit no picture is not shown:"
show search "$out/samples.tandem" "quarterly tax report" --top 4

say "4. Ask what pictures show, with labels made up on the spot:"
pictures=(); labels=""
while IFS=$'\t' read -r file caption; do
  pictures+=("$samples/$file")
  labels+="${labels:+,}$caption"
done < <(awk -F'\t' 'NR > 1 && $2 !~ /,/ && !seen[$2]++ { rows[++n] = $0 } END { step = int(n / 8); for (i = 1; i <= 8; i++) print rows[i * step] }' "$samples/captions.tsv")
show classify "${pictures[@]}" --labels "$labels" --model "$model"

say "5. The same for many queries, on a page:"
show search "$out/samples.tandem" --queries tools/demo_queries.txt --top 7 --html "$out/contact-sheet.html" --quiet >/dev/null
printf 'Open %s\n' "$PWD/$out/contact-sheet.html"
