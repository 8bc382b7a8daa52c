"""Which picture may be learnt from: vendors and concepts held out, copies found, phrases capped.

The promises, checked again on the written shards by test_split.py:
 1. no picture of a held-out vendor, nor a near copy of one, is trained on;
 2. no picture with a held-out name is trained on, nor an exact copy of one, and no caption equals a held-out phrase;
 3. validation pictures are not trained on, nor is any picture of the same set and concept.
"""

import random
from collections import Counter, defaultdict

import numpy as np

from phrases import is_held_out, key_of
from render import THUMB_GROUND, THUMB_PX

SEED = 20240517
PICTURES_A_PHRASE = 8
PICTURES_AN_EMOJI_PHRASE = 12  # of icons that show what an emoji shows; emoji themselves are never capped
PICTURES_A_SET = 3  # of one phrase: more are the same drawing with another line width
SLACK = 1.5  # candidates drawn for each picture kept, as copies drop out
# Two pictures are the same if the root mean square difference of their thumbnails is at most NEAR_RMS (of 255) and
# at most NEAR_SHARE of what stands out from the ground in the fainter one. Chosen by looking at pairs.
NEAR_RMS = 12.0
NEAR_SHARE = 0.25
VALIDATION = 1500
_COLOURS = {"red", "orange", "yellow", "green", "blue", "purple", "brown", "pink"}


def may_train(picture) -> bool:
    return not any(is_held_out(name) for name in picture.names)


def preselect(pictures, emoji_keys):
    """Candidates worth drawing: at most about SLACK times the cap for each phrase, many sets rather than many styles."""
    rng = random.Random(SEED)
    groups = defaultdict(list)
    chosen = []
    for picture in pictures:
        if picture.emoji:
            chosen.append(picture)
        else:
            groups[key_of(picture.names[0])].append(picture)
    for key, group in sorted(groups.items()):
        limit = PICTURES_AN_EMOJI_PHRASE if key in emoji_keys else PICTURES_A_PHRASE
        chosen.extend(_varied(group, int(limit * SLACK), rng))
    return chosen


def _varied(group, limit, rng):
    """Round robin over vendors, coloured pictures first."""
    by_vendor = defaultdict(list)
    rng.shuffle(group)
    for picture in sorted(group, key=lambda p: not p.colour):
        by_vendor[picture.vendor].append(picture)
    per_set = Counter()
    turn = []
    for pictures in by_vendor.values():
        rank = 0
        for picture in pictures:
            if per_set[picture.set] < PICTURES_A_SET:
                per_set[picture.set] += 1
                turn.append((rank, not picture.colour, rng.random(), picture))
                rank += 1
    return [t[3] for t in sorted(turn, key=lambda t: t[:3])][:limit]


def near_any(thumbs: np.ndarray, others: np.ndarray, ground=THUMB_GROUND):
    """For each row of thumbs (N, 12·12·3, uint8): index of a row of others that is the same picture, or -1."""
    found = np.full(len(thumbs), -1, np.int64)
    if not len(others):
        return found
    b = others.astype(np.float32) - ground
    b_energy = (b * b).mean(1)
    for start in range(0, len(thumbs), 2048):
        a = thumbs[start:start + 2048].astype(np.float32) - ground
        a_energy = (a * a).mean(1)
        distance = a_energy[:, None] + b_energy - (2 / a.shape[1]) * (a @ b.T)
        limit = np.minimum(NEAR_RMS**2, NEAR_SHARE**2 * np.minimum(a_energy[:, None], b_energy))
        best = (distance - limit).argmin(1)
        rows = np.arange(len(a))
        found[start:start + 2048] = np.where(distance[rows, best] <= limit[rows, best], best, -1)
    return found


def thumbs_of(drawn) -> np.ndarray:
    return np.frombuffer(b"".join(d.thumb for d in drawn), np.uint8).reshape(-1, THUMB_PX * THUMB_PX * 3)


class Split:
    """train, validation: lists of (picture, drawn, captions). dropped: counts by reason."""

    def __init__(self, candidates, drawn, held_vendors, held_drawn, emoji_keys):
        """candidates with held-out names are only compared with; held_vendors: pictures of the held-out vendors."""
        self.dropped = Counter()
        self.near_pairs = []  # (training picture, held-out picture) dropped as near copies, for looking at
        rows = [(p, d) for p, d in zip(candidates, drawn) if self._drew(d)]
        forbidden = {d.sha for p, d in rows if not may_train(p)} | {d.sha for d in held_drawn if d.png}
        rows = self._allowed(rows, forbidden)
        rows = self._far_from_vendors(rows, [(p, d) for p, d in zip(held_vendors, held_drawn) if d.png])
        rows = self._merged(rows)
        rows = self._capped(rows, emoji_keys)
        self._set_validation_aside(rows)

    def _drew(self, drawn) -> bool:
        if drawn.why:
            self.dropped[drawn.why] += 1
        return not drawn.why

    def _allowed(self, rows, forbidden):
        kept = []
        for picture, drawn in rows:
            if not may_train(picture):
                self.dropped["held-out concept"] += 1
            elif drawn.mono and picture.emoji and _COLOURS & set(picture.names[0].split()):
                self.dropped["one-colour emoji named after a colour"] += 1  # a black "red heart"
            elif drawn.sha in forbidden:
                self.dropped["exact copy of a held-out picture"] += 1
            else:
                kept.append((picture, drawn))
        return kept

    def _far_from_vendors(self, rows, held):
        near = near_any(thumbs_of([d for _, d in rows]), thumbs_of([d for _, d in held]))
        kept = []
        for row, other in zip(rows, near):
            if other < 0:
                kept.append(row)
            else:
                self.dropped[f"near copy of a held-out vendor's picture ({held[other][0].vendor})"] += 1
                self.near_pairs.append((row, held[other]))
        return kept

    def _merged(self, rows):
        """Exact copies become one picture with the names of all; near copies within a phrase are dropped."""
        by_sha = {}
        for picture, drawn in sorted(rows, key=lambda r: not r[0].emoji):
            first = by_sha.get(drawn.sha)
            if first is None:
                by_sha[drawn.sha] = (picture, drawn)
            else:
                self.dropped["exact copy within training"] += 1
                known = first[0]
                if not known.emoji and known.colour == picture.colour:
                    known.tags[:0] = [n for n in picture.names if n not in known.names and n not in known.tags][:2]
        groups = defaultdict(list)
        for row in by_sha.values():
            groups[key_of(row[0].names[0])].append(row)
        kept = []
        for _, group in sorted(groups.items()):
            thumbs = thumbs_of([d for _, d in group])
            alive = []
            for i, (picture, _) in enumerate(group):
                # The same emoji drawn flat, shaded and in 3D is wanted: only icons are thinned out.
                if picture.emoji or near_any(thumbs[i:i + 1], thumbs[alive])[0] < 0:
                    alive.append(i)
                else:
                    self.dropped["near copy within its phrase"] += 1
            kept.append([group[i] for i in alive])
        return kept

    def _capped(self, groups, emoji_keys):
        rows = []
        for group in groups:
            key = key_of(group[0][0].names[0])
            limit = PICTURES_AN_EMOJI_PHRASE if key in emoji_keys else PICTURES_A_PHRASE
            icons = 0
            for picture, drawn in group:
                icons += not picture.emoji
                if picture.emoji or icons <= limit:
                    rows.append((picture, drawn))
                else:
                    self.dropped["over the cap of its phrase"] += 1
        return rows

    def _set_validation_aside(self, rows):
        rng = random.Random(SEED + 1)
        by_key = defaultdict(list)
        for row in rows:
            by_key[key_of(row[0].names[0])].append(row)
        wanted = {True: VALIDATION // 2, False: VALIDATION - VALIDATION // 2}
        aside = {}
        for key in rng.sample(sorted(by_key), len(by_key)):
            group = by_key[key]
            if len(group) < 4 or len({r[0].set for r in group}) < 3:
                continue
            picked = rng.choice(group)
            if wanted[picked[0].emoji] > 0:
                wanted[picked[0].emoji] -= 1
                aside[key] = picked
        self.validation = [(p, d, captions_of(p)) for p, d in aside.values()]
        self.train = []
        for picture, drawn in rows:
            held = aside.get(key_of(picture.names[0]))
            if held and held[0].set == picture.set:
                self.dropped["validation picture or its sibling"] += 1
            else:
                self.train.append((picture, drawn, captions_of(picture)))


def captions_of(picture, held_out_allowed=False):
    """1 to 8 phrases, the most telling first; none equals a held-out phrase unless that is allowed."""
    captions = []
    for phrase in [*picture.names, *picture.tags]:
        if phrase not in captions and (held_out_allowed or not is_held_out(phrase)):
            captions.append(phrase)
    return captions[:8]
