"""Small picture files of every kind that decode_image() reads: {name: bytes}. Those that Pillow cannot write are
built here from their format's rules."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from images_common import picture


def smooth(width, height, channels):
    """A picture with gradients and edges: JPEG and WebP should not only see noise."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    wave = 128 + 100 * np.sin(x * 0.31 + c) * np.cos(y * 0.23 - c)
    wave[(x - width // 2) ** 2 + (y - height // 2) ** 2 < 40] = 250
    return np.clip(wave, 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation, order=">"):
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    other = struct.pack(order + "HHII", 0x0100, 4, 1, 7)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 2) + other + entry + bytes(4)


# PNG ------------------------------------------------------------------------------------------------------------------

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, depth):
    """(height, width, channels) samples to filter-0 rows."""
    rows = []
    for row in samples:
        bits = "".join(f"{int(v):0{depth}b}" for v in row.reshape(-1))
        bits += "0" * (-len(bits) % 8)
        rows.append(b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return b"".join(rows)


def png(samples, depth, color, interlaced=False, chunks=b""):
    height, width = samples.shape[:2]
    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(packed(p, depth) for p in parts if p.size)
    else:
        data = packed(samples, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png_files():
    rng = np.random.default_rng(5)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    for color, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            top = 2**depth
            samples = rng.integers(0, top, (9, 13, channels[color]))
            plte = b""
            if color == 3:
                plte = chunk(b"PLTE", rng.integers(0, 256, 3 * min(top, 256), dtype=np.uint8).tobytes())
            for interlaced in (False, True):
                name = f"png-c{color}-d{depth}" + ("-interlaced" if interlaced else "")
                yield name, png(samples, depth, color, interlaced, plte)
            if color == 3:
                alphas = chunk(b"tRNS", rng.integers(0, 256, top // 2, dtype=np.uint8).tobytes())
                yield f"png-c3-d{depth}-alphas", png(samples, depth, color, chunks=plte + alphas)
                yield f"png-c3-d{depth}-one-clear", png(samples, depth, color, chunks=plte + chunk(b"tRNS", b"\xff\0"))
            if color in (0, 2):
                samples[3:6, 2:7] = samples[0, 0]
                key = b"".join(struct.pack(">H", v) for v in samples[0, 0])
                yield f"png-c{color}-d{depth}-key", png(samples, depth, color, chunks=chunk(b"tRNS", key))
    tiny = rng.integers(0, 256, (1, 1, 3))
    yield "png-1x1", png(tiny, 8, 2, True)
    low16 = rng.integers(0, 600, (9, 13, 1))
    yield "png-c0-d16-dark", png(low16, 16, 0)
    yield "png-filters", saved(Image.fromarray(smooth(40, 30, 3)), "PNG")
    yield "png-text-gamma", png(
        rng.integers(0, 256, (9, 13, 3)), 8, 2,
        chunks=chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"tEXt", b"Title\0" + b"x" * 200),
    )  # fmt: skip
    for orientation in range(1, 9):
        block = chunk(b"eXIf", exif(orientation)[6:])
        yield f"png-exif{orientation}", png(rng.integers(0, 256, (4, 6, 3)), 8, 2, chunks=block)


# JPEG -----------------------------------------------------------------------------------------------------------------


def jpeg_files():
    color = Image.fromarray(smooth(45, 35, 3))
    for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        for progressive in (False, True):
            name = "jpeg-" + subsampling.replace(":", "") + ("-progressive" if progressive else "")
            yield name, saved(color, "JPEG", quality=85, subsampling=subsampling, progressive=progressive)
    grey = Image.fromarray(smooth(45, 35, 1)[:, :, 0])
    yield "jpeg-grey", saved(grey, "JPEG", quality=70)
    yield "jpeg-grey-progressive", saved(grey, "JPEG", quality=70, progressive=True)
    cmyk = Image.fromarray(smooth(45, 35, 4), "CMYK")
    data = saved(cmyk, "JPEG", quality=80)
    yield "jpeg-cmyk", data
    at = data.index(b"Adobe")
    yield "jpeg-ycck", data[: at + 11] + b"\2" + data[at + 12 :]  # the colour transform of the Adobe marker
    yield "jpeg-rgb", saved(color, "JPEG", quality=80, keep_rgb=True)
    yield "jpeg-restarts", saved(color, "JPEG", quality=60, restart_marker_blocks=3)
    yield "jpeg-noise", saved(Image.fromarray(picture(33, 18, 3, 1)), "JPEG", quality=95)
    for width, height in ((1, 1), (17, 1), (1, 17), (8, 8), (16, 16), (15, 33)):
        yield f"jpeg-{width}x{height}", saved(Image.fromarray(smooth(width, height, 3)), "JPEG", quality=75)
    for orientation in range(1, 9):
        order = "<" if orientation % 2 else ">"
        yield f"jpeg-exif{orientation}", saved(color.resize((20, 12)), "JPEG", quality=60, exif=exif(orientation, order))
    yield "jpeg-exif9", saved(color.resize((8, 8)), "JPEG", quality=60, exif=exif(9))


# WebP -----------------------------------------------------------------------------------------------------------------


def riff(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for kind, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def u24(value):
    return struct.pack("<I", value)[:3]


def webp_files():
    color, clear = Image.fromarray(smooth(45, 35, 3)), Image.fromarray(smooth(45, 35, 4))
    yield "webp-lossy", saved(color, "WEBP", quality=60)
    yield "webp-lossy-odd", saved(color.crop((0, 0, 17, 1)), "WEBP", quality=80)
    yield "webp-lossless", saved(color, "WEBP", lossless=True)
    yield "webp-lossy-alpha", saved(clear, "WEBP", quality=50)
    yield "webp-lossless-alpha", saved(clear, "WEBP", lossless=True, exact=True)
    yield "webp-1x1", saved(color.resize((1, 1)), "WEBP")
    for orientation in range(1, 9):
        yield f"webp-exif{orientation}", saved(color.resize((12, 7)), "WEBP", exif=exif(orientation))
    yield "webp-animated", saved(
        color, "WEBP", save_all=True, append_images=[color.rotate(90), color.rotate(180)], duration=50
    )
    # A first frame of 12x7 at (4, 2) on a canvas of 20x16.
    for name, frame, flags in (("", color, 0x02), ("-alpha", clear, 0x12)):
        part = saved(frame.resize((12, 7)), "WEBP", lossless=True)[12:]  # the VP8L chunk with its header
        anmf = u24(4 // 2) + u24(2 // 2) + u24(11) + u24(6) + u24(100) + b"\0" + part
        vp8x = bytes([flags, 0, 0, 0]) + u24(19) + u24(15)
        anim = b"\xff\xff\xff\xff\0\0"
        yield "webp-animated-offset" + name, riff((b"VP8X", vp8x), (b"ANIM", anim), (b"ANMF", anmf), (b"ANMF", anmf))


# GIF ------------------------------------------------------------------------------------------------------------------


def lzw(indices, bits):
    """GIF's LZW with a clear code before the table would grow: longer, but simple."""
    clear, out, held, count = 1 << bits, bytearray(), 0, 0

    def put(code):
        nonlocal held, count
        held |= code << count
        count += bits + 1
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8

    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            put(clear)
        put(int(index))
    put(clear + 1)
    out.append(held & 255)
    blocks = [out[i : i + 255] for i in range(0, len(out), 255)]
    return bytes([bits]) + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0"


def gif(screen, frame, offset=(0, 0), colors=16, local=None, clear=None, interlaced=False, global_palette=True):
    rng = np.random.default_rng(11)
    bits = max(colors.bit_length() - 1, 2)
    flag = bits - 1
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, (0x80 | flag) if global_palette else 0, 1, 0)
    if global_palette:
        out += rng.integers(0, 256, 3 * (2 << flag), dtype=np.uint8).tobytes()
    out += b"!\xfe\x05hello\0"  # a comment
    if clear is not None:
        out += b"!\xf9\x04" + bytes([1, 5, 0, clear]) + b"\0"
    indices = rng.integers(0, colors, (frame[1], frame[0]))
    if interlaced:
        order = [y for start, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(start, frame[1], step)]
        indices = indices[order]
    flags = (0x40 if interlaced else 0) | ((0x80 | flag) if local else 0)
    out += b"," + struct.pack("<HHHHB", *offset, *frame, flags)
    if local:
        out += rng.integers(0, 256, 3 * (2 << flag), dtype=np.uint8).tobytes()
    return out + lzw(indices.reshape(-1), bits) + b";"


def gif_files():
    yield "gif-plain", gif((23, 19), (23, 19))
    yield "gif-256", gif((23, 19), (23, 19), colors=256)
    yield "gif-2", gif((23, 19), (23, 19), colors=2)
    yield "gif-clear", gif((23, 19), (23, 19), clear=3)
    yield "gif-interlaced", gif((23, 19), (23, 19), interlaced=True)
    yield "gif-interlaced-1-row", gif((9, 1), (9, 1), interlaced=True)
    yield "gif-local", gif((23, 19), (23, 19), local=True)
    yield "gif-local-only", gif((23, 19), (23, 19), local=True, global_palette=False)
    yield "gif-no-palette", gif((23, 19), (23, 19), global_palette=False)
    yield "gif-small-frame", gif((23, 19), (10, 8), (5, 4))
    yield "gif-small-frame-clear", gif((23, 19), (10, 8), (5, 4), clear=6)
    yield "gif-frame-past-screen", gif((12, 9), (10, 8), (5, 4), clear=6)
    first = Image.fromarray(smooth(30, 20, 3))
    yield "gif-animated", saved(first, "GIF", save_all=True, append_images=[first.rotate(180)])


def files():
    for maker, end in ((png_files, "png"), (jpeg_files, "jpg"), (webp_files, "webp"), (gif_files, "gif")):
        for name, data in maker():
            yield f"{name}.{end}", data
