"""Every picture of every source as a `Picture`, named but not yet drawn."""

import json
import re
from pathlib import Path

from emoji import EmojiTable, is_skin_variant
from fetch import npm_folder, openclipart_folder
from phrases import NameCleaner, is_plain, key_of, normalise
from picture import Picture
from tags import Tags

PERMISSIVE = {"MIT", "Apache-2.0", "CC0-1.0", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Unlicense"}
# Vendors whose style the model must never see in training, with every set that carries their drawings.
HELD_OUT_VENDORS = {
    "twemoji": ["twemoji"], "openmoji": ["openmoji"], "fxemoji": ["fxemoji"],
    "emojione": ["emojione", "emojione-v1", "emojione-monotone"],
}
EVALUATED_SETS = ("twemoji", "openmoji", "fxemoji", "emojione")
EMOJI_SETS = ("noto", "noto-v1", "fluent-emoji", "fluent-emoji-flat", "fluent-emoji-high-contrast")
FLAG_SETS = {"circle-flags", "flag", "flagpack", "cif"}
_LEFT_OUT_CATEGORIES = {"Logos", "Programming"}
_LEFT_OUT_SETS = {  # animations whose first frame is empty, brand marks, laundry codes
    "line-md", "svg-spinners", "fontisto-brands", "topcoat", "gcp", "k8s", "ginetex",
}
_BRAND_CATEGORIES = {"brand", "brands", "brand logos", "logos", "logo", "social", "brands & logos", "social media", "vendor"}
_BRAND_SETS = ("simple-icons", "bxl", "cib", "thesvg", "devicon", "skill-icons")
_CLIPART_NOISE = {"hash", "theme", "svg", "unsorted", "special", "symbols", "signs", "member", "action", "application",
                  "applications", "computer", "icon", "jigsaw", "led", "pattern", "gradient", "actions", "apps", "mini"}
_CLIPART_VAGUE = {"symbol", "card", "people", "shape", "decoration", "decorations", "europe", "asia", "africa", "flag", "flags",
                  "sign", "device", "devices", "hardware", "object", "simple", "white", "shapes", "callout", "person",
                  "education", "office", "recreation", "science", "geography", "animal", "animals", "mammal", "food", "color",
                  "symbols", "background", "game", "flowchart"}
_VENDORS = [  # first match wins; otherwise the set is its own vendor
    (r"noto", "noto"), (r"fluent", "fluent"), (r"material-symbols|ic$", "material"), (r"icon-park", "icon-park"),
    (r"ui[lmst]$", "unicons"), (r"bx|boxicons", "boxicons"), (r"heroicons|sidekickicons", "heroicons"),
    (r"ion$|famicons", "ionicons"), (r"mdi|memory", "mdi"), (r"lucide|feather", "lucide"), (r"glyphs", "glyphs"),
    (r"mono-icons|mi$", "mono-icons"), (r"icons8|wpf|la$|flat-color", "icons8"), (r"mynaui|vadivam", "mynaui"),
    (r"majesticons|pixelarticons", "halfmann"),
]


def vendor_of(name: str) -> str:
    for vendor, sets in HELD_OUT_VENDORS.items():
        if name in sets:
            return vendor
    return next((vendor for pattern, vendor in _VENDORS if re.match(pattern, name)), name)


class Sources:
    """Reads the fetched packages under `cache`. counts: what was left out, by reason."""

    def __init__(self, cache: Path):
        self._json = npm_folder(cache, "@iconify/json")
        self._cache = cache
        self._collections = json.loads((self._json / "collections.json").read_text())
        self._emoji = EmojiTable(cache)
        self._tags = Tags(cache)
        self._brands = self._brand_names()
        self.emoji_keys = self._emoji.keys
        self._words = self._emoji.words | self._tags.common_words
        self.left_out = {}

    def training(self):
        for prefix, info in sorted(self._collections.items()):
            if info["license"].get("spdx") not in PERMISSIVE or prefix in _LEFT_OUT_SETS:
                continue
            if info.get("category") in _LEFT_OUT_CATEGORIES or vendor_of(prefix) in HELD_OUT_VENDORS:
                continue
            yield from self._iconify(prefix)
        yield from self._fluent_3d()
        yield from self._openclipart()

    def held_out(self):
        """All pictures of the held-out vendors."""
        for sets in HELD_OUT_VENDORS.values():
            for prefix in sets:
                yield from self._iconify(prefix)

    def _skip(self, reason):
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def _iconify(self, prefix):
        data = json.loads((self._json / "json" / f"{prefix}.json").read_text())
        icons, aliases = data["icons"], data.get("aliases", {})
        other_names = {}
        turned = {}
        for name, alias in aliases.items():
            if alias.get("rotate") or alias.get("hFlip") or alias.get("vFlip"):
                turned[name] = alias
            elif alias["parent"] in icons:
                other_names.setdefault(alias["parent"], []).append(name)
        brands = {n for c, ns in data.get("categories", {}).items() if c.lower() in _BRAND_CATEGORIES for n in ns}
        names_of = self._namer(prefix, data)
        info = self._collections[prefix]
        for name, icon in [*icons.items(), *turned.items()]:
            drawing = icon
            while "parent" in drawing:
                drawing = {**(icons.get(drawing["parent"]) or aliases.get(drawing["parent"], {})), **{k: v for k, v in drawing.items() if k != "parent"}}
            if drawing.get("hidden") or "body" not in drawing:
                self._skip("withdrawn by its set")
                continue
            if name in brands or re.search(r"^(brand|logo|logos|social|simple-icons)-|-logo(-|$)", name):
                self._skip("brand mark")
                continue
            found = names_of(name, other_names.get(name, []))
            if found is None:
                continue
            names, tags, is_emoji = found
            yield Picture(prefix, vendor_of(prefix), info["license"]["spdx"], "svg", _svg_of(drawing, data), names, tags,
                          is_emoji, bool(info.get("palette")), name)

    def _namer(self, prefix, data):
        """A function (name, aliases) → (names, tags, is emoji), or None where the picture is left out."""
        if prefix in FLAG_SETS:
            return self._flag_names
        if prefix in EMOJI_SETS or any(prefix in sets for sets in HELD_OUT_VENDORS.values()):
            code_of = {name: hexcode for hexcode, name in data.get("chars", {}).items()}
            every = set(data["icons"])
            return lambda name, aliases: self._emoji_names(name, code_of.get(name, ""), every)
        suffixes, prefixes = data.get("suffixes") or {}, data.get("prefixes") or {}
        cleaner = NameCleaner(data["icons"], suffixes, prefixes)
        return lambda name, aliases: self._icon_names(name, aliases, cleaner)

    def _flag_names(self, name, aliases):
        found = self._emoji.flag(re.sub(r"-(1x1|4x3|square|circle)$", "", name))
        if found is None:
            self._skip("flag of no country")
            return None
        return [found[0]], found[1], True

    def _emoji_names(self, name, hexcode, every):
        if is_skin_variant(name, every):
            self._skip("skin colour variant")
            return None
        found = self._emoji.find(hexcode, name)
        if found:
            return [found[0]], found[1], True
        plain = normalise(name)
        if not is_plain(plain) or not all(w in self._words for w in plain.split()):
            self._skip("emoji without a known name")
            return None
        return [plain], [], True

    def _icon_names(self, name, aliases, cleaner):
        names = []
        for spelled in [name, *sorted((a for a in aliases if not re.search(r"\d", a)), key=len)[:6]]:
            phrase = cleaner.clean(spelled)
            if is_plain(phrase) and phrase not in names and len(names) < 3:
                names.append(phrase)
            elif spelled == name:
                self._skip("no plain name")
                return None
        if " ".join(names[0].split()[:2]) in self._brands or names[0].split()[0] in self._brands:
            self._skip("brand mark")
            return None
        emoji = self._emoji.find(name=names[0])
        tags = self._tags.of(names[0])
        if emoji and key_of(emoji[0]) == key_of(names[0]):
            tags = [*tags[:3], *(t for t in emoji[1] if t not in tags[:3])]
        return names, [t for t in tags if t not in names], False

    def _fluent_3d(self):
        folder = npm_folder(self._cache, "@lobehub/fluent-emoji-3d") / "assets"
        for path in sorted(folder.glob("*.webp")):
            if re.search(r"1f3f[b-f]", path.stem):
                self._skip("skin colour variant")
                continue
            found = self._emoji.find(hexcode=path.stem)
            if found is None:
                self._skip("no plain name")
                continue
            yield Picture("fluent-emoji-3d", "fluent", "MIT", "bitmap", str(path), [found[0]], found[1], True, True, path.stem)

    def _openclipart(self):
        root = openclipart_folder(self._cache)
        for path in sorted(root.rglob("*.svg")):
            text = path.read_text(errors="replace")
            if ">magick<" in text:
                self._skip("openclipart generated star")
                continue
            title = re.findall(r"<dc:title>(.*?)</dc:title>", text, re.S)[:1]
            stem = re.sub(r"_(arch|\d).*", "", path.stem)
            keywords = re.findall(r"<rdf:li>(.*?)</rdf:li>", text, re.S)[:8]
            phrases = self._plain_titles([*title, stem, *keywords])
            phrases.sort(key=_CLIPART_VAGUE.__contains__)
            if "flags" in path.parts:
                flag = self._emoji.find(name=f"flag {stem.replace('_', ' ').strip()}")  # whole: regions are not countries
                phrases = [flag[0], *flag[1]] if flag else []
            if not phrases or phrases[0] in _CLIPART_VAGUE or {"logos", "cards"} & set(path.parts):
                self._skip("openclipart without a plain English title")
                continue
            tags = [p for p in [*phrases[1:6], *self._plain_titles([path.parent.name])] if p not in phrases[:1]]
            yield Picture("openclipart", "openclipart", "CC0-1.0", "clipart", str(path), phrases[:1], tags, False, True, path.stem)

    def _plain_titles(self, spelled):
        """The English ones among titles and keywords, without counters and theme names."""
        phrases = []
        for phrase in spelled:
            phrase = normalise(re.sub(r"(?<=[A-Za-z])\d+\b|\baiga\b", "", phrase.replace("_", " ")))
            phrase = re.sub(r"( \d+| r\d+( .*)?| [a-z])+$", "", phrase)
            words = phrase.split()
            if (is_plain(phrase) and len(phrase) > 2 and phrase not in phrases and all(w in self._words for w in words)
                    and not _CLIPART_NOISE & set(words)):
                phrases.append(phrase)
        return phrases

    def _brand_names(self):
        """Names of companies and products, less those that are also everyday words."""
        everyday = self._emoji.words | self._tags.common_words
        names = set()
        for prefix in _BRAND_SETS:
            data = json.loads((self._json / "json" / f"{prefix}.json").read_text())
            for name in data["icons"]:
                plain = normalise(re.sub(r"-(dark|light|wordmark|plain|original)", "", name))
                if len(plain) > 2 and not all(w in everyday for w in plain.split()) and len(plain.split()) <= 2:
                    names.add(plain)
        return names


def _svg_of(icon, data) -> str:
    """A whole SVG document of an Iconify icon. A missing width or height means 16."""
    left, top = (icon.get(k, data.get(k, 0)) for k in ("left", "top"))
    width, height = (icon.get(k, data.get(k, 16)) for k in ("width", "height"))
    body = icon["body"].replace("currentColor", "#000")
    turns = icon.get("rotate", 0) % 4
    centre = f"{left + width / 2} {top + height / 2}"
    if icon.get("hFlip") or icon.get("vFlip"):
        x, y = (-1 if icon.get("hFlip") else 1), (-1 if icon.get("vFlip") else 1)
        body = f'<g transform="translate({centre}) scale({x} {y}) translate({-(left + width / 2)} {-(top + height / 2)})">{body}</g>'
    if turns:
        body = f'<g transform="rotate({turns * 90} {centre})">{body}</g>'
        if turns % 2:
            left, top, width, height = left + (width - height) / 2, top + (height - width) / 2, height, width
    return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" '
            f'height="{height}" viewBox="{left} {top} {width} {height}">{body}</svg>')
