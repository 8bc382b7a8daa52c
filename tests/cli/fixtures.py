"""What every transcript test finds in its folder: a tiny model, pictures good and bad, a shard."""
import io
import json
import struct
import subprocess
import tarfile
import zlib


def png(width, height, pixel):
    """An RGB picture; pixel(x, y) gives its three bytes."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    return encode(width, height, rows)


def encode(width, height, rows):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def plain(colour):
    return png(40, 30, lambda x, y: colour)


def numbered(n):
    """Pictures that differ, in content and vector."""
    return png(24, 24, lambda x, y: ((x * 9 + n * 37) % 256, (y * 9 + n * 59) % 256, (x * y + n * 83) % 256))


def shard(path, concepts, each):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for concept in range(concepts):
            for k in range(each):
                about = {"captions": [f"thing {concept}"], "phrase": f"thing {concept}", "concept": concept}
                for extension, content in (("png", numbered(concept * 10 + k)), ("json", json.dumps(about).encode())):
                    info = tarfile.TarInfo(f"s{concept:03d}_{k}.{extension}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


COCA = {"embed_dim": 32, "custom_text": True,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 16, "patch_size": 8, "output_tokens": True,
                       "attentional_pool": True, "attn_pooler_queries": 7, "attn_pooler_heads": 2},
        "text_cfg": {"context_length": 32, "vocab_size": 2000, "width": 32, "heads": 2, "layers": 2, "output_tokens": True,
                     "embed_cls": True},
        "multimodal_cfg": {"context_length": 32, "vocab_size": 2000, "width": 32, "heads": 2, "layers": 2}}


def make(folder, make_model):
    subprocess.run([make_model, folder / "tiny"], check=True)
    (folder / "coca.json").write_text(json.dumps(COCA))
    subprocess.run([make_model, folder / "coca", folder / "coca.json"], check=True)
    for name, colour in (("red", (220, 30, 30)), ("green", (30, 200, 60)), ("blue", (40, 60, 220))):
        (folder / f"{name}.png").write_bytes(plain(colour))
    good = numbered(0)
    bad = folder / "bad"
    bad.mkdir()
    (bad / "truncated.png").write_bytes(good[:len(good) // 2])
    (bad / "bomb.png").write_bytes(encode(60000, 60000, b""))  # 10.8 GB of pixels, it says
    (bad / "not-a-picture.jpg").write_text("hello")
    (bad / "empty.png").write_bytes(b"")
    many = folder / "many"
    many.mkdir()
    for n in range(40):
        (many / f"{n:02d}.png").write_bytes(numbered(n))
    (folder / "empty").mkdir()
    shard(folder / "set.tar", concepts=6, each=2)
    (folder / "labels.txt").write_text("# colours\nred\ngreen\n\nblue\n")
