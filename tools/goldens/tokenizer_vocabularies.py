"""Trains the small vocabularies that tokenizers are compared on: one for each kind of file that CLIP-family models use.

    python tools/goldens/tokenizer_vocabularies.py [FOLDER]     (default: tests/goldens/tokenizers)

Run with the reference environment active. The text is that of text_strings.py with a fixed seed; tokenizers' trainers
still break ties by chance, so a few tokens differ from run to run. They stand in for files that are large: T5's and mT5's
SentencePiece models, Gemma's, XLM-R's, RoBERTa's, BERT's and CLIP's tokenizer.json.
"""

import base64
import gzip
import importlib.metadata
import io
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
import sentencepiece.sentencepiece_model_pb2 as model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "goldens" / "tokenizers"
sys.path.insert(0, str(ROOT / "tools" / "goldens"))
import text_strings  # noqa: E402

SEED = 5
CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# A few rules in place of the 200 kB that nmt_nfkc compiles to: full width to ASCII, ligatures, a sequence of two, spaces.
RULES = {"Ａ": "A", "ａ": "a", "ｂ": "b", "ﬁ": "fi", "ﬃ": "ffi", "①": "1", "e\u0301": "é", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ",
         "\u200b": "", "ſ": "s", "™": "tm", "½": "1/2", "a\u0308": "ä", "ﷺ": "صلى الله", "\u0001": ""}  # fmt: skip


def corpus():
    rng = random.Random(SEED)
    lines = list(text_strings.NATURAL) * 20
    lines += [text_strings.captions(rng) for _ in range(4000)]
    lines += [text_strings.natural(rng) for _ in range(2000)]
    lines += (ROOT / "assets" / "prompts" / "imagenet_classes.txt").read_text().splitlines()[1:]
    lines += (ROOT / "HACKING.md").read_text().splitlines()
    return [line for line in lines if line.strip()]


def rules_file():
    file = tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="ascii")
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)  # noqa: E731
    file.writelines(f"{code(source)}\t{code(target)}\n" for source, target in RULES.items())
    file.flush()
    return file


def spm(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, minloglevel=2, num_threads=1, hard_vocab_limit=False, **options
    )
    proto = model_pb2.ModelProto.FromString(model.getvalue())
    proto.normalizer_spec.ClearField("normalization_rule_tsv")  # a temporary file's name
    return proto


def sentencepiece_models():
    with rules_file() as rules:
        small = {"normalization_rule_tsv": rules.name}
        out = {
            # T5, SigLIP 1: pad 0, eos 1, unknown 2.
            "unigram": spm(vocab_size=1500, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, **small),
            # Gemma: pad 0, eos 1, bos 2, unknown 3; bytes; spaces stay.
            "bpe": spm(model_type="bpe", vocab_size=2000, byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3, add_dummy_prefix=False,
                       remove_extra_whitespaces=False, normalization_rule_name="identity", split_digits=True, allow_whitespace_only_pieces=True,
                       user_defined_symbols=["<mask>", "  ", "\n", "<h1>", "photo of"]),
            "unigram_bytes": spm(vocab_size=1200, byte_fallback=True, user_defined_symbols=["<extra>", "ﬁ", "▁dog"], treat_whitespace_as_suffix=True, **small),
            "bpe_plain": spm(model_type="bpe", vocab_size=1500, remove_extra_whitespaces=False, **small),
        }  # fmt: skip
    # Unused pieces are taken apart again.
    for name in ("unigram_bytes", "bpe_plain"):
        normal = [p for p in out[name].pieces if p.type == 1 and len(p.piece) > 2]
        for piece in normal[::7]:
            piece.type = 5
    return out


def large_sentencepiece_model():
    """With the whole of nmt_nfkc, as T5, mT5 and XLM-R have it: compared at length, not committed."""
    return spm(vocab_size=2500, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)


def added(tokenizer, *tokens):
    tokenizer.add_special_tokens(list(tokens))


def byte_level_roberta():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(), trainer)
    added(tokenizer, AddedToken("<mask>", lstrip=True, special=True))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    return tokenizer


def clip_fast():
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", continuing_subword_prefix="", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(CLIP_PATTERN), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1800, initial_alphabet=alphabet, end_of_word_suffix="</w>", special_tokens=[])
    tokenizer.train_from_iterator(corpus(), trainer)
    text = json.loads(tokenizer.to_str())
    vocabulary = text["model"]["vocab"]
    for symbol in sorted(alphabet):
        vocabulary.setdefault(symbol + "</w>", len(vocabulary))
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    tokenizer = Tokenizer.from_str(json.dumps(text))
    added(tokenizer, AddedToken("<|startoftext|>", normalized=True, special=True), AddedToken("<|endoftext|>", normalized=False, special=True))
    ids = [tokenizer.token_to_id(t) for t in ("<|startoftext|>", "<|endoftext|>")]
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", ids[1]), ("<|startoftext|>", ids[0]), False, False)
    return tokenizer


def gemma(proto):
    """As GemmaTokenizerFast makes it of the SentencePiece model."""
    vocabulary = {p.piece: i for i, p in enumerate(proto.pieces)}
    merges = []
    for piece, rank in vocabulary.items():
        halves = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        halves = [h for h in halves if h[0] in vocabulary and h[1] in vocabulary]
        merges += [(rank, vocabulary[a], vocabulary[b], a, b) for a, b in halves]
    merges = [(a, b) for *_, a, b in sorted(merges)]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    specials = [AddedToken(p.piece, normalized=False, special=p.type != 4) for p in proto.pieces if p.type in (2, 3, 4)]
    tokenizer.add_tokens([t for t in specials if not t.special])
    added(tokenizer, *[t for t in specials if t.special])
    tokenizer.post_processor = processors.TemplateProcessing(single=["$A", "<eos>"], pair=["$A", "<eos>", "$B", "<eos>"], special_tokens=[("<eos>", 1)])
    return tokenizer


def unigram_file(proto, *, xlmr):
    """XLM-R's or T5's tokenizer.json."""
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], unk_id=next(i for i, p in enumerate(proto.pieces) if p.type == 2)))
    charsmap = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    if xlmr:
        tokenizer.normalizer = charsmap
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
        added(tokenizer, AddedToken("</s>", normalized=False), AddedToken("<mask>", lstrip=True, normalized=False))
        sides = [("</s>", 1), ("<mask>", tokenizer.token_to_id("<mask>"))]
        tokenizer.post_processor = processors.TemplateProcessing(single="<mask> $A </s>", pair="<mask> $A </s> </s> $B </s>", special_tokens=sides)
    else:
        tokenizer.normalizer = normalizers.Sequence([charsmap, normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        added(tokenizer, AddedToken("<pad>"), AddedToken("</s>"), AddedToken("<extra_id_0>", lstrip=True, rstrip=True))
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=1800, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def odd():
    """What few models use: the other normalisers, pre-tokenisers and options, in one file."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, ignore_merges=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip(), normalizers.NFKC(), normalizers.Prepend("_")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=False)]
    )
    trainer = trainers.BpeTrainer(vocab_size=1200, special_tokens=["<unk>"], limit_alphabet=300)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_tokens([AddedToken("New", single_word=True), AddedToken("É", normalized=True), AddedToken("dog", rstrip=True, normalized=False)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False)])
    return tokenizer


def json_tokenizers(protos):
    return {
        "roberta": byte_level_roberta(),
        "clip": clip_fast(),
        "gemma": gemma(protos["bpe"]),
        "xlmr": unigram_file(protos["unigram"], xlmr=True),
        "t5": unigram_file(protos["unigram"], xlmr=False),
        "bert": wordpiece(),
        "odd": odd(),
    }


def make(folder, *, large=False):
    folder.mkdir(parents=True, exist_ok=True)
    protos = sentencepiece_models()
    files = json_tokenizers(protos)
    if large:
        protos["unigram_nfkc"] = large_sentencepiece_model()
        files["xlmr_nfkc"] = unigram_file(protos["unigram_nfkc"], xlmr=True)
    for name, proto in protos.items():
        (folder / f"{name}.model").write_bytes(proto.SerializeToString(deterministic=True))
    for name, tokenizer in files.items():
        (folder / f"{name}.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    for file in sorted([*folder.glob("*.model"), *folder.glob("*.json")]):
        print(f"{file.name}: {file.stat().st_size} bytes, {len(gzip.compress(file.read_bytes()))} compressed", file=sys.stderr)


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, large=len(sys.argv) > 1)
