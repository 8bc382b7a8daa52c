"""Draws SVG text or a picture file as 72 px RGBA PNG, many at a time, with librsvg and cairo called through ctypes.

One process per icon would cost 30 times the drawing itself; librsvg takes 0.1 to 0.6 ms an icon.
"""

import ctypes as C
import hashlib
import io
import re
from dataclasses import dataclass
from multiprocessing import Pool

import numpy as np
from PIL import Image

SIDE_PX = 72
THUMB_PX = 12  # side of the thumbnails that near duplicates are found with
THUMB_GROUND = 208  # light grey, so that white drawings do not vanish
_MONO_SPREAD = 12  # largest difference of a channel between the opaque pixels of a one-colour picture
_UNIT_PX = {b"px": 1, b"pt": 4 / 3, b"mm": 96 / 25.4, b"cm": 96 / 2.54, b"in": 96}
_MIN_INK = 0.004  # share of the picture that must be covered


@dataclass
class Drawn:
    """png: RGBA, or b"" with why set. thumb: (12,12,3) uint8. sha: of the quantised pixels."""
    png: bytes = b""
    sha: bytes = b""
    thumb: bytes = b""
    mono: bool = False
    why: str = ""


class _Rect(C.Structure):
    _fields_ = [(n, C.c_double) for n in ("x", "y", "width", "height")]


class _Libraries:
    """librsvg and cairo with typed signatures. Loaded once per process, after fork."""

    def __init__(self):
        self.rsvg, self.cairo, self.gobject = (C.CDLL(n) for n in ("librsvg-2.so.2", "libcairo.so.2", "libgobject-2.0.so.0"))
        for lib, name, result, arguments in (
            (self.rsvg, "rsvg_handle_new_from_data", C.c_void_p, [C.c_char_p, C.c_size_t, C.c_void_p]),
            (self.rsvg, "rsvg_handle_render_document", C.c_int, [C.c_void_p, C.c_void_p, C.POINTER(_Rect), C.c_void_p]),
            (self.cairo, "cairo_image_surface_create", C.c_void_p, [C.c_int] * 3),
            (self.cairo, "cairo_image_surface_get_data", C.c_void_p, [C.c_void_p]),
            (self.cairo, "cairo_surface_flush", None, [C.c_void_p]),
            (self.cairo, "cairo_create", C.c_void_p, [C.c_void_p]),
            (self.cairo, "cairo_destroy", None, [C.c_void_p]),
            (self.cairo, "cairo_surface_destroy", None, [C.c_void_p]),
            (self.gobject, "g_object_unref", None, [C.c_void_p]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments


_libraries = None


def draw_svg(svg: bytes, side_px: int = SIDE_PX):
    """(side,side,4) uint8 RGBA, not premultiplied; None if librsvg cannot read it."""
    global _libraries  # per process: ctypes handles do not survive pickling
    if _libraries is None:
        _libraries = _Libraries()
    lib = _libraries
    handle = lib.rsvg.rsvg_handle_new_from_data(svg, len(svg), None)
    if not handle:
        return None
    surface = lib.cairo.cairo_image_surface_create(0, side_px, side_px)
    context = lib.cairo.cairo_create(surface)
    area = _Rect(0, 0, side_px, side_px)
    drawn = lib.rsvg.rsvg_handle_render_document(handle, context, C.byref(area), None)
    lib.cairo.cairo_surface_flush(surface)
    data = C.string_at(lib.cairo.cairo_image_surface_get_data(surface), side_px * side_px * 4)
    lib.cairo.cairo_destroy(context)
    lib.cairo.cairo_surface_destroy(surface)
    lib.gobject.g_object_unref(handle)
    if not drawn:
        return None
    bgra = np.frombuffer(data, np.uint8).reshape(side_px, side_px, 4).astype(np.uint32)
    alpha = bgra[..., 3:]
    rgb = np.minimum(255, (bgra[..., 2::-1] * 255 + alpha // 2) // np.maximum(alpha, 1))
    return np.concatenate([np.where(alpha > 0, rgb, 0), alpha], axis=2).astype(np.uint8)


def draw_clipart(svg: bytes):
    """Like draw_svg, but what is drawn fills the picture: clip art often sits in a corner of a wild page."""
    large = draw_svg(_with_view_box(svg), 5 * SIDE_PX)
    if large is None:
        return None
    rows, columns = (np.flatnonzero((large[..., 3] > 20).any(axis=axis)) for axis in (1, 0))
    if len(rows) < 8 and len(columns) < 8:
        return large[:SIDE_PX, :SIDE_PX] * 0
    ink = Image.fromarray(large[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1])
    return _centred(ink, SIDE_PX - 4)


def _with_view_box(svg: bytes) -> bytes:
    """librsvg scales a page to the wanted size only if it has a viewBox."""
    root = re.search(rb"<svg\b[^>]*>", svg)
    if not root or b"viewBox" in root[0]:
        return svg
    sizes = [re.search(rb"\b" + side + rb"\s*=\s*[\"']\s*([\d.]+)\s*(px|pt|mm|cm|in)?\s*[\"']", root[0]) for side in (b"width", b"height")]
    if not all(sizes):
        return svg
    width, height = (float(s[1]) * _UNIT_PX[s[2] or b"px"] for s in sizes)
    return svg[:root.start() + 4] + b' viewBox="0 0 %g %g"' % (width, height) + svg[root.start() + 4:]


def load_bitmap(path: str):
    with Image.open(path) as picture:
        return _centred(picture.convert("RGBA"), SIDE_PX)


def _centred(picture, longest_px: int) -> np.ndarray:
    """The picture with its longer side made longest_px, in the middle of a transparent SIDE_PX square."""
    scale = longest_px / max(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (SIDE_PX, SIDE_PX))
    canvas.paste(picture, ((SIDE_PX - picture.width) // 2, (SIDE_PX - picture.height) // 2))
    return np.array(canvas)


def on_ground(rgba: np.ndarray, ground: int) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)


def thumb_of(rgb: np.ndarray) -> np.ndarray:
    """(72,72,3) → (12,12,3), uint8: box averages."""
    step = SIDE_PX // THUMB_PX
    return rgb.reshape(THUMB_PX, step, THUMB_PX, step, 3).mean(axis=(1, 3)).astype(np.uint8)


def encode_png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=6)
    return out.getvalue()


def finish(rgba, may_recolour: bool) -> Drawn:
    """Measures, checks and encodes one drawn picture. may_recolour: its colour says nothing, unlike a red heart's."""
    if rgba is None:
        return Drawn(why="unreadable")
    alpha = rgba[..., 3]
    if (alpha > 40).mean() < _MIN_INK:
        return Drawn(why="blank")
    strong = rgba[..., :3][alpha > 100]
    plain = len(strong) == 0 or int(np.ptp(strong.astype(np.int16), axis=0).max()) <= _MONO_SPREAD
    mono = plain and may_recolour
    if mono and (alpha > 230).mean() > 0.97:
        return Drawn(why="blank")  # a plain full square
    if mono:
        rgba = rgba.copy()
        rgba[..., :3] = 0
    thumb = thumb_of(on_ground(rgba, THUMB_GROUND))
    sha = hashlib.sha1((rgba >> 3).tobytes()).digest()
    return Drawn(encode_png(rgba), sha, thumb.tobytes(), bool(mono))


def _draw_one(job) -> Drawn:
    kind, source, may_recolour = job
    try:
        if kind == "bitmap":
            return finish(load_bitmap(source), may_recolour)
        if kind == "clipart":
            with open(source, "rb") as file:
                return finish(draw_clipart(file.read()), may_recolour)
        return finish(draw_svg(source.encode()), may_recolour)
    except (OSError, ValueError) as error:
        return Drawn(why=f"unreadable ({type(error).__name__})")


def draw_all(jobs, processes: int, log=print):
    """jobs: (kind, source, may be recoloured) with kind svg, clipart or bitmap. Returns a Drawn for each, in order."""
    drawn = []
    with Pool(processes) as pool:
        for i, result in enumerate(pool.imap(_draw_one, jobs, chunksize=64), 1):
            drawn.append(result)
            if i % 25000 == 0:
                log(f"drew {i:,} of {len(jobs):,}")
    return drawn
