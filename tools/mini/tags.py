"""Synonyms for phrases, gathered from the tag lists of Tabler, Lucide, Material Design Icons and Phosphor."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

from fetch import npm_folder
from phrases import is_plain, key_of, normalise

MAX_TAGS = 5
_NOT_TAGS = {"new", "icon", "icons", "symbol", "sign", "ui", "logo", "brand", "misc", "other", "tool", "tools", "app",
             "emoji", "emoticon", "emojis", "emoticons", "svg", "glyph", "shape", "hz", "vector", "system", "a", "b", "unix"}


class Tags:
    """Synonyms by key. Immutable after load."""

    def __init__(self, cache: Path):
        votes = defaultdict(Counter)
        for name, tags in _all_lists(cache):
            phrase = normalise(name)
            for tag in tags:
                tag = normalise(tag)
                if is_plain(tag) and len(tag) > 2 and len(tag.split()) <= 3 and tag not in _NOT_TAGS and tag != phrase:
                    votes[key_of(phrase)][tag] += 1
        self._tags = {key: [t for t, _ in count.most_common()] for key, count in votes.items()}
        self.common_words = {w for key, tags in self._tags.items() for t in [key, *tags] for w in t.split()}

    def of(self, phrase: str):
        """The best agreed synonyms first; empty if the phrase is in no list."""
        return self._tags.get(key_of(phrase), [])[:MAX_TAGS]


def _all_lists(cache: Path):
    for name, entry in json.loads((npm_folder(cache, "@tabler/icons") / "icons.json").read_text()).items():
        if entry.get("category") not in ("Brand", "Letters", "Numbers"):
            yield name, [str(t) for t in entry["tags"]]
    yield from json.loads((npm_folder(cache, "lucide-static") / "tags.json").read_text()).items()
    for entry in json.loads((npm_folder(cache, "@mdi/svg") / "meta.json").read_text()):
        if "Brand / Logo" not in entry["tags"]:
            yield entry["name"], entry["aliases"]
    script = (npm_folder(cache, "@phosphor-icons/core") / "dist" / "index.mjs").read_text()
    for name, tags in re.findall(r'name: "([a-z0-9-]+)",.*?tags: \[(.*?)\]', script, re.S):
        if not name.endswith("-logo"):
            yield name, re.findall(r'"([^"]+)"', tags)
