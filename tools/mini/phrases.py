"""From names as icon sets spell them to plain English phrases, keys and concept numbers.

A *phrase* is what a person would type ("red apple"). Its *key* ignores word order, plurals and filler words, so that
"arrow-left", "left arrow" and "left arrows" are one concept. Splits and concept numbers are made from keys.
"""

import hashlib
import re
import unicodedata

HELD_OUT_ONE_IN = 10  # one concept in ten is never trained on
HOLD_OUT_SALT = "tandem-mini-1:"
MAX_WORDS = 6

_FILLER = {"the", "of", "with", "and"}

# Words that name a drawing style wherever they end a name.
_STYLE_ALWAYS = {
    "outline", "outlined", "filled", "duotone", "twotone", "rounded", "duocolor", "monotone", "mono", "stroked",
    "loop", "transition", "ltr", "rtl", "alt", "badged", "alerted", "wordmark", "multicolor",
}
# Words that name a style only in sets where many names end with them ("home-line", but "chart-line" elsewhere).
_STYLE_IF_COMMON = {
    "line", "fill", "solid", "bold", "thin", "light", "regular", "linear", "broken", "sharp", "duo", "stroke", "round",
    "poly", "small", "negative", "tone", "two", "o", "f", "r", "s", "a", "xs", "sm", "lg",
}
_STYLE_FRONT = {"outline", "baseline", "round", "sharp", "twotone", "ios", "md", "bxs", "bx", "emoji", "emoticon", "solid", "regular"}
_SIZES = {"8", "10", "11", "12", "14", "15", "16", "20", "24", "26", "28", "32", "48", "50", "64", "96", "12px", "16px", "24px", "48px"}
_COMMON_SHARE = 0.10  # a trailing word is a set's style when at least this share of its names ends with it
_NUMBER_STEMS = {  # "dice-2" is not the second drawing of a dice
    "dice", "number", "numeric", "square", "circle", "battery", "looks", "hexagon", "heading", "h", "keycap", "timer",
    "level", "signal", "wifi", "die", "face", "forward", "back", "replay", "uv index", "beaufort", "wind beaufort", "counter",
    "format header", "filter", "rating", "step", "stage", "alpha", "letter", "pentagon", "octagon", "time", "layout", "columns",
}


def normalise(text: str) -> str:
    """Lower case ASCII words separated by single spaces; empty if nothing is left."""
    text = text.replace("’", "'").replace("&", " and ").replace("+", " plus ") if len(text) > 1 else text
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    text = re.sub(r"'s\b", "s", text).replace("'", "")
    return " ".join(re.findall(r"[a-z0-9]+", text))


def stem(word: str) -> str:
    """A crude singular: enough to make "apples" and "apple" one concept."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def key_of(phrase: str) -> str:
    words = [stem(w) for w in phrase.split() if w not in _FILLER]
    return " ".join(sorted(words)) or phrase


def concept_of(phrase: str) -> int:
    """A stable 31-bit number: equal for phrases with the same key."""
    return int.from_bytes(hashlib.sha256(key_of(phrase).encode()).digest()[:4], "big") & 0x7FFFFFFF


def is_held_out(phrase: str) -> bool:
    digest = hashlib.sha256((HOLD_OUT_SALT + key_of(phrase)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0


class NameCleaner:
    """Strips style words from the names of one icon set. Built from all names of the set; then immutable."""

    def __init__(self, names, suffixes=(), prefixes=()):
        spaced = [self._split(n) for n in names]
        self._names = {" ".join(s) for s in spaced}
        self._suffixes = sorted(((normalise(s)).split() for s in suffixes if s), key=len, reverse=True)
        self._prefixes = [normalise(p).split() for p in prefixes if p]
        ends = {}
        for words in spaced:
            if len(words) > 1:
                ends[words[-1]] = ends.get(words[-1], 0) + 1
        enough = max(12, _COMMON_SHARE * len(spaced))
        self._stems = set()
        self._ends = {w for w, n in ends.items() if n >= enough and (w in _STYLE_IF_COMMON or w in _SIZES)}
        self._stems = {self.clean(n) for n in names}

    def clean(self, name: str) -> str:
        words = self._split(name)
        for prefix in self._prefixes:
            if len(words) > len(prefix) and words[: len(prefix)] == prefix:
                words = words[len(prefix):]
                break
        for suffix in self._suffixes:
            if len(words) > len(suffix) and words[-len(suffix):] == suffix:
                words = words[: -len(suffix)]
                break
        while len(words) > 1 and words[0] in _STYLE_FRONT and " ".join(words[1:]) in self._names:
            words = words[1:]
        while len(words) > 1 and self._is_style(words):
            words = words[:-1]
        return " ".join(words)

    def _is_style(self, words) -> bool:
        last, rest = words[-1], " ".join(words[:-1])
        if last in _STYLE_ALWAYS or last in self._ends:
            return True
        if re.fullmatch(r"0\d", last) or re.fullmatch(r"v\d", last):
            return True
        if re.fullmatch(r"[1-9]|one|two|three|four|five", last):
            return rest not in _NUMBER_STEMS and (rest in self._names or rest in self._stems or not last.isdigit())
        return False

    @staticmethod
    def _split(name: str):
        name = re.sub(r"([a-z])([A-Z])", r"\1-\2", name)
        words = []
        for word in normalise(name).split():
            glued = re.fullmatch(r"([a-z]{4,})\d", word)
            words.append(glued.group(1) if glued and word not in {"html5"} else word)
        return words


def is_plain(phrase: str) -> bool:
    """Whether a phrase can be a caption: a few words, not bare digits or a lone letter."""
    words = phrase.split()
    if not 1 <= len(words) <= MAX_WORDS or len(phrase) > 48:
        return False
    return any(len(w) >= 2 and not w.isdigit() for w in words)
