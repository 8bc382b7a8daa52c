"""Writes tests/goldens/text/{tokens,tokens_cut}.txt: strings, what open_clip's cleaning makes of them, and their ids.

Run with the reference environment active. One string a line: text TAB cleaned TAB ids; bytes below 0x21, 0x7F and '%' are
written %XX. Some texts are not UTF-8: the reference reads them with errors="replace".
"""

import importlib.metadata
import pathlib
import platform
import random
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import compare_tokenizer  # noqa: E402
import text_strings  # noqa: E402

SEED = 7
CUT_VOCABULARY, CUT_CONTEXT = 8192, 16


def chosen():
    rng = random.Random(SEED)
    chains = ["&" + "amp;" * n + end for n in (1, 2, 9, 300) for end in ("", "lt;", "eacute;", "x;", "#39;", "#38;amp;")]
    chains.append(" ".join("&" + "amp;" * n + end for n, end in ((1, "sup3;"), (5, ""), (3, "Atilde;"), (2, "#x26;amp;"))))
    chains.append("sÃ³ &amp;amp;Atilde;&amp;sup3; Ã&amp;amp;amp;sup3;")
    texts = text_strings.NATURAL + text_strings.PIECES + chains + text_strings.strings(2000, SEED)
    encoded = [text.encode() for text in texts if len(text) < 1400]
    for _ in range(60):
        whole = bytearray(text_strings.natural(rng).encode()[:40])
        for _ in range(3):
            whole[rng.randrange(len(whole))] = rng.choice((0x80, 0xBF, 0xC0, 0xC3, 0xE2, 0xED, 0xA0, 0xF0, 0xF4, 0xFF))
        encoded.append(bytes(whole))
    return encoded


def escaped(raw):
    return b"".join(b"%%%02X" % b if b < 0x21 or b in (0x25, 0x7F) else bytes([b]) for b in raw)


def cut(tokenizer, module):
    """The tokenizer of the first merges alone: ids below the special ones stay, those two close the smaller vocabulary."""
    merges = CUT_VOCABULARY - 514
    small = module.SimpleTokenizer(context_length=CUT_CONTEXT)
    small.bpe_ranks = {pair: rank for pair, rank in tokenizer.bpe_ranks.items() if rank < merges}
    small.encoder = {s: i for s, i in tokenizer.encoder.items() if i < 512 + merges}
    for i, special in enumerate(("<start_of_text>", "<end_of_text>")):
        small.encoder[special] = 512 + merges + i
    small.sot_token_id, small.eot_token_id = CUT_VOCABULARY - 2, CUT_VOCABULARY - 1
    return small


def write(name, what, module, tokenizer, context, texts):
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("open_clip_torch", "ftfy", "regex"))
    python = f"Python {platform.python_version()} (Unicode {unicodedata.unidata_version})"
    rows = [f"# {what}; {versions}, {python}; tools/goldens/text_tokens.py, seed {SEED}".encode()]
    for raw in texts:
        text = raw.decode("utf-8", "replace")
        ids = compare_tokenizer.reference_ids(tokenizer, text, context)
        clean = module._clean_lower(text).encode()
        rows.append(b"\t".join((escaped(raw), escaped(clean), " ".join(map(str, ids)).encode())))
    path = ROOT / "tests" / "goldens" / "text" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(rows) + b"\n")
    print(f"{path.relative_to(ROOT)}: {len(texts)} strings, {path.stat().st_size} bytes", file=sys.stderr)


def main():
    module = compare_tokenizer.reference()
    tokenizer = module.SimpleTokenizer()
    texts = chosen()
    write("tokens.txt", "CLIP ids, context 77", module, tokenizer, 77, texts)
    what = f"ids of a vocabulary cut to {CUT_VOCABULARY}, context {CUT_CONTEXT}"
    write("tokens_cut.txt", what, module, cut(tokenizer, module), CUT_CONTEXT, texts[:200])


if __name__ == "__main__":
    main()
