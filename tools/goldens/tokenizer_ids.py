"""Writes tests/goldens/tokenizers/: small vocabularies of every kind, strings, and the reference's ids for each.

Run with the reference environment active. strings.txt has a string a line, %-escaped; NAME.ids a line of ids for each
string. The comparison at length is tools/compare_tokenizer_files.py, whose cases these are.
"""

import importlib.metadata
import random
import sys
import warnings

import tokenizer_vocabularies

sys.path.insert(0, str(tokenizer_vocabularies.ROOT / "tools"))
import compare_tokenizer_files as cases  # noqa: E402
import text_strings  # noqa: E402

FOLDER = tokenizer_vocabularies.FOLDER
COUNT = 260
SEED = 11


def chosen():
    rng = random.Random(SEED)
    fixed = ["", " ", "a", "A photo of two cats.", "  two   spaces ", "<s>", "</s>", "a</s>b", "photo of <mask> dog", "<|endoftext|> x", "▁", "ﬁ"]
    pool = [t for t in cases.texts_for(4000, SEED) if 0 < len(t.encode("utf-8", "replace")) < 70]
    natural = [line for line in text_strings.NATURAL if len(line.encode()) < 160]
    return cases.well_formed(fixed + natural + rng.sample(pool, COUNT - len(fixed) - len(natural)))


def escaped(text):
    return b"".join(b"%%%02X" % b if b < 0x21 or b in (0x25, 0x7F) else bytes([b]) for b in text.encode())


def main():
    warnings.simplefilter("ignore")
    tokenizer_vocabularies.make(FOLDER)
    texts = chosen()
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("sentencepiece", "tokenizers", "open_clip_torch", "transformers"))
    head = f"# {versions}; tools/goldens/tokenizer_ids.py, seed {SEED}"
    (FOLDER / "strings.txt").write_bytes(b"\n".join([head.encode(), *map(escaped, texts)]) + b"\n")
    for name, _, (reference, arguments) in cases.cases(FOLDER):
        rows = [f"{head}; {name}: {' '.join(arguments)}", *(" ".join(map(str, ids)) for ids in reference(texts))]
        file = FOLDER / (name.replace(", ", "-").replace(".", "-") + ".ids")
        file.write_text("\n".join(rows) + "\n")
        print(f"{file.name}: {file.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
