"""Compares Tandem's readers of SentencePiece models and tokenizer.json with sentencepiece, tokenizers, open_clip and
transformers on many strings, and prints where they differ (expected: nowhere).

Run with the reference environment active, after building `tokenizer_spec_driver`; FOLDER is made by
tools/goldens/tokenizer_vocabularies.py:
    python tools/compare_tokenizer_files.py --driver BUILD/src/preprocess/tokenizer_spec_driver --folder FOLDER --count 200000
"""

import argparse
import importlib.metadata
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import sentencepiece
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools" / "goldens"))
sys.path.insert(0, str(ROOT / "tools"))
import compare_tokenizer  # noqa: E402
import text_strings  # noqa: E402

SPECIALS = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", " <mask> ", "<|endoftext|>", "<|startoftext|>", "[MASK]", "[SEP]", "<eos>", "<bos>", "<0x41>", "<h1>",
            "<extra_id_0>", "  <extra_id_0>  ", "photo of", "▁", "▁▁", "▁dog", "New", "NewNew", "New York", "dog  ", "\t", "\n\n", "   ", "ﬁ", "É", "a\u0301", "\u200d",
            "中文", "<extra>", "123456", "\r\n", "\0", "é\u0327", "...", "'s", "'LL"]  # fmt: skip


def texts_for(count, seed):
    """text_strings.py's strings, a third of them with special tokens and odd spaces put in."""
    texts = text_strings.strings(count, seed, exhaustive=True)[:count] if count < 5000 else text_strings.strings(count, seed)
    rng = random.Random(seed + 1)
    out = []
    for text in texts:
        if rng.random() < 0.33:
            for _ in range(rng.randint(1, 3)):
                at = rng.randrange(len(text) + 1)
                text = text[:at] + rng.choice(("", "", " ", "  ")) + rng.choice(SPECIALS) + rng.choice(("", " ")) + text[at:]
        out.append(text)
    return out


def well_formed(texts):
    return [t.encode("utf-8", "replace").decode("utf-8") for t in texts]


def driver(path, texts, *arguments):
    out = subprocess.run([path, "ids", *arguments], input=compare_tokenizer.records(texts), stdout=subprocess.PIPE, check=True).stdout
    return compare_tokenizer.parse(out, "ids")


def raw_reference(file):
    """What the file's own library makes of a text, and how the driver is asked for the same."""
    if file.suffix == ".model":
        processor = sentencepiece.SentencePieceProcessor(model_file=str(file))
        return processor.encode, ["kind=sentencepiece", "context=1000000"]
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    return (lambda texts: [e.ids for e in tokenizer.encode_batch_fast(texts)]), ["kind=json", "context=1000000"]


def open_clip_reference(file, *, clean, context, pad, strip=None, mode=None, bos=None, eos=None, class_id=None):
    """open_clip's HFTokenizer around the file."""
    import transformers

    module = compare_tokenizer.reference()
    specials = {"sep_token": strip, "bos_token": bos, "eos_token": eos, "cls_token": class_id}
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(file), pad_token=pad, padding_side="right", **{k: v for k, v in specials.items() if v}
    )
    if strip:
        wrapped.sep_token = strip
    hf = module.HFTokenizer.__new__(module.HFTokenizer)
    hf.tokenizer, hf.tokenizer_mode, hf.context_length = wrapped, mode or "", context
    hf.clean_fn, hf.strip_sep_token = module.get_clean_fn(clean), bool(strip)
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    arguments = ["kind=json", f"clean={clean}", f"context={context}", f"pad={tokenizer.token_to_id(pad)}"]
    names = {"strip": strip, "bos": bos, "eos": eos, "clips": class_id} if mode else {"strip": strip}
    arguments += [f"{key}={tokenizer.token_to_id(token)}" for key, token in names.items() if token]
    return (lambda texts: hf(texts).tolist()), arguments


def siglip_reference(file):
    """transformers' SiglipTokenizer, which is SentencePiece with its own cleaning."""
    import transformers

    tokenizer = transformers.SiglipTokenizer(str(file))
    call = lambda texts: tokenizer(texts, max_length=64, padding="max_length", truncation=True).input_ids  # noqa: E731
    return call, ["kind=sentencepiece", "clean=siglip", "context=64", "pad=1", "eos=1"]


def siglip2_reference(file):
    """transformers' Siglip2Tokenizer: Gemma's, lower case before all else, an end of text."""
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file, pathlib.Path(folder) / "tokenizer.json")
        config = {"tokenizer_class": "Siglip2Tokenizer", "add_bos_token": False, "add_eos_token": True, "padding_side": "right", "model_max_length": 64}
        specials = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
        (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps(config | specials))
        tokenizer = transformers.Siglip2Tokenizer.from_pretrained(folder)
    call = lambda texts: tokenizer(texts, max_length=64, padding="max_length", truncation=True).input_ids  # noqa: E731
    return call, ["kind=json", "clean=lower_only", "context=64", "pad=0", "eos_token=</s>"]


def cases(folder):
    for file in sorted([*folder.glob("*.model"), *folder.glob("*.json")]):
        yield file.name, file, raw_reference(file)
    yield "open_clip, bert, strip_sep", folder / "bert.json", open_clip_reference(folder / "bert.json", clean="whitespace", context=32, pad="[PAD]", strip="[SEP]")
    yield "open_clip, t5, canonicalize", folder / "t5.json", open_clip_reference(folder / "t5.json", clean="canonicalize", context=16, pad="<pad>")
    yield "open_clip, gemma, lower", folder / "gemma.json", open_clip_reference(folder / "gemma.json", clean="lower", context=20, pad="<pad>")
    clips = {"clean": "whitespace", "context": 24, "pad": "<pad>", "mode": "clips", "bos": "<s>", "eos": "</s>", "class_id": "<mask>"}
    yield "open_clip, roberta, clips", folder / "roberta.json", open_clip_reference(folder / "roberta.json", **clips)
    yield "Siglip2Tokenizer", folder / "gemma.json", siglip2_reference(folder / "gemma.json")
    yield "SiglipTokenizer", folder / "unigram.model", siglip_reference(folder / "unigram.model")


def compare(name, file, reference, arguments, texts, args):
    expected = []
    for i in range(0, len(texts), 1000):
        try:
            expected += reference(texts[i : i + 1000])
        except ValueError:  # int() refuses numbers of more than 4,300 digits
            expected += [None] * len(texts[i : i + 1000])
    ours = driver(args.driver, texts, str(file), *arguments)
    wrong = 0
    for text, want, got in zip(texts, expected, ours, strict=True):
        if want is not None and want != got:
            wrong += 1
            if wrong <= args.show:
                print(f"text  {text!a}\n  expected {want}\n  ours     {got}")
    print(f"{name}: {len(texts)} strings, {wrong} mismatches", flush=True)
    return wrong == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", default=str(ROOT / "build/release/src/preprocess/tokenizer_spec_driver"))
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "tests" / "goldens" / "tokenizers")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    args = parser.parse_args()
    texts = well_formed(texts_for(args.count, args.seed))
    good = True
    for name, file, (reference, arguments) in cases(args.folder):
        if args.only in name:
            good &= compare(name, file, reference, arguments, texts, args)
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("sentencepiece", "tokenizers", "open_clip_torch", "transformers"))
    print(f"seed {args.seed}; {versions}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
