"""Writes WebDataset shards: ustar archives of KEY.png, KEY.json and KEY.txt, byte for byte reproducible."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from phrases import concept_of
from render import encode_png, on_ground

SHARD_SIZE = 5000


def on_white(png: bytes) -> bytes:
    return encode_png(on_ground(np.array(Image.open(io.BytesIO(png)).convert("RGBA")), 255))


def write_shard(path: Path, rows, prefix: str, white: bool) -> dict:
    """rows: (picture, drawn, captions). Returns what the manifest says of the shard."""
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for i, (picture, drawn, captions) in enumerate(rows):
            phrase = captions[0]
            about = {
                "captions": captions, "phrase": phrase, "concept": concept_of(phrase), "vendor": picture.vendor,
                "set": picture.set, "name": picture.origin, "emoji": picture.emoji, "mono": drawn.mono,
                "license": picture.license,
            }
            key = f"{prefix}{i:06d}"
            _add(archive, key + ".png", on_white(drawn.png) if white else drawn.png)
            _add(archive, key + ".json", json.dumps(about).encode())
            _add(archive, key + ".txt", phrase.encode())
    part.rename(path)
    return {"file": path.name, "samples": len(rows), "bytes": path.stat().st_size, "sha256": _sha256(path)}


def write_shards(folder: Path, name: str, rows) -> list:
    """`name`-00000.tar and so on, about SHARD_SIZE samples in each."""
    return [
        write_shard(folder / f"{name}-{n:05d}.tar", rows[start:start + SHARD_SIZE], f"{name[0]}{n:05d}_", white=False)
        for n, start in enumerate(range(0, len(rows), SHARD_SIZE))
    ]


def _add(archive, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
