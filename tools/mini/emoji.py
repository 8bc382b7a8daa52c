"""Which emoji a picture shows, and what people call it (emojibase: labels, tags, short codes)."""

import json
import re
import unicodedata
from pathlib import Path

from fetch import npm_folder
from phrases import is_plain, key_of, normalise

_SKIN = re.compile(r"(light|medium|dark|default)-skin-tone")
_BARE_SKIN = re.compile(r"-(medium-light|medium-dark|light|medium|dark|default)$")
_SUBGROUPS = {  # a broader word for the picture, where the Unicode subgroup is one
    "animal-mammal": "animal", "animal-bird": "bird", "animal-amphibian": "animal", "animal-reptile": "reptile",
    "animal-marine": "sea animal", "animal-bug": "insect", "plant-flower": "flower", "plant-other": "plant",
    "food-fruit": "fruit", "food-vegetable": "vegetable", "food-prepared": "food", "food-asian": "asian food",
    "food-sweet": "dessert", "drink": "drink", "dishware": "tableware", "place-building": "building",
    "place-religious": "religious building", "transport-ground": "vehicle", "transport-water": "boat",
    "transport-air": "aircraft", "sport": "sport", "clothing": "clothes", "musical-instrument": "musical instrument",
    "tool": "tool", "zodiac": "zodiac sign", "heart": "heart", "country-flag": "country flag", "face-smiling": "happy face",
    "face-concerned": "sad face", "cat-face": "cat", "arrow": "arrow", "time": "clock", "hand-fingers-open": "hand gesture",
    "hand-fingers-partial": "hand gesture", "hand-single-finger": "hand gesture", "hand-fingers-closed": "hand gesture",
    "sky-&-weather": "weather", "family": "family", "mail": "mail", "medical": "medical", "money": "money",
    "person-sport": "sport", "person-role": "job", "light-video": "light", "sound": "sound", "phone": "phone",
}


class EmojiTable:
    """Emoji by hexcode and by any of their names. Immutable after load."""

    def __init__(self, cache: Path):
        folder = npm_folder(cache, "emojibase-data") / "en"
        subgroups = {s["order"]: s["key"] for s in json.loads((folder / "messages.json").read_text())["subgroups"]}
        self._entries = {}
        self._by_name = {}
        self.subgroups = {}  # Unicode subgroup by label
        codes = {}
        for name in ("emojibase", "cldr", "joypixels", "iamcal", "github", "emojibase-legacy"):
            for hexcode, short in json.loads((folder / "shortcodes" / f"{name}.json").read_text()).items():
                codes.setdefault(_bare(hexcode), []).extend([short] if isinstance(short, str) else short)
        for entry in json.loads((folder / "data.json").read_text()):
            self._add(entry, codes.get(_bare(entry["hexcode"]), []), subgroups.get(entry.get("subgroup")))
        # Names in older sets ("waxing-crescent" …) are learnt from sets that give both name and code point.
        for prefix in ("openmoji", "twemoji", "noto", "fluent-emoji-high-contrast"):
            data = json.loads((npm_folder(cache, "@iconify/json") / "json" / f"{prefix}.json").read_text())
            for hexcode, name in data.get("chars", {}).items():
                self._learn(name, _bare(hexcode))
            codes_of = {name: hexcode for hexcode, name in data.get("chars", {}).items()}
            for alias, target in data.get("aliases", {}).items():
                if target["parent"] in codes_of and len(target) == 1:
                    self._learn(alias, _bare(codes_of[target["parent"]]))
        self.words = {w for e in self._entries.values() for t in [e[0], *e[1]] for w in t.split()}
        self.keys = {key_of(label) for label, _ in self._entries.values()}

    def find(self, hexcode: str = "", name: str = ""):
        """(label, tags) of the emoji with this code point sequence or name; None if there is none."""
        if hexcode and _bare(hexcode) in self._entries:
            return self._entries[_bare(hexcode)]
        plain = re.sub("^flag for (flag )?", "flag ", normalise(name))
        code = self._by_name.get(plain) or self._by_name.get(plain.replace(" ", ""))
        return self._entries.get(code)

    def flag(self, country: str):
        """(label, tags) of the flag of an ISO 3166 country such as "fr", or None."""
        if not re.fullmatch("[a-z]{2}", country):
            return {"gb-eng": self.find(name="flag-england"), "gb-sct": self.find(name="flag-scotland"),
                    "gb-wls": self.find(name="flag-wales")}.get(country)
        return self._entries.get("-".join(f"{0x1F1E6 + ord(c) - ord('a'):x}" for c in country))

    def _add(self, entry, short_codes, subgroup):
        label, tags = entry["label"], list(entry.get("tags", []))
        if label.startswith("flag: "):
            country = normalise(label[6:])
            label, tags = f"flag of {country}", [f"{country} flag", country]
        label = normalise(label)
        if not is_plain(label):
            return
        code = _bare(entry["hexcode"])
        if not label.startswith("flag of"):
            tags = [s for s in short_codes if "flag" not in s][:2] + tags
        if subgroup in _SUBGROUPS:
            tags.append(_SUBGROUPS[subgroup])
        kept = []
        for tag in map(normalise, tags):
            if is_plain(tag) and len(tag) > 2 and tag != label and tag not in kept:
                kept.append(tag)
        self._entries[code] = (label, kept)
        self.subgroups[label] = subgroup
        for name in [label, entry["label"], *short_codes]:
            self._learn(name, code)
        if "-" not in code:  # FxEmoji uses the formal Unicode names
            self._learn(unicodedata.name(chr(int(code, 16)), label), code)

    def _learn(self, name, code):
        plain = normalise(name)
        self._by_name.setdefault(plain, code)
        self._by_name.setdefault(plain.replace(" ", ""), code)


def is_skin_variant(name: str, names) -> bool:
    """Whether `name` is another emoji of its set in a skin colour. names: all names of the set."""
    if _SKIN.search(name) or re.search(r"type-[1-6]($|-)|-tone\d?$|-1f3f[b-f]", name):
        return True
    base = _BARE_SKIN.sub("", name)
    return base != name and (base in names or "-default" in name or any(base + e in names for e in ("-medium-dark", "-medium-light")))


def _bare(hexcode: str) -> str:
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")
