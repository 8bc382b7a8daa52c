"""The promises of the split, checked on the written shards (skipped where none are).

MINI_DATA names the folder of shards; the default is data/mini of the repository.
"""

import io
import json
import os
import tarfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

import render
import split
from phrases import concept_of, is_held_out, key_of
from sources import HELD_OUT_VENDORS, PERMISSIVE

DATA = Path(os.environ.get("MINI_DATA", Path(__file__).resolve().parents[2] / "data" / "mini"))


def read(pattern):
    """(about, png) of every sample of the shards that match."""
    for path in sorted(DATA.glob(pattern)):
        with tarfile.open(path) as archive:
            parts = {m.name: archive.extractfile(m).read() for m in archive}
        for name, content in parts.items():
            if name.endswith(".json"):
                key = name[: -len(".json")]
                about = json.loads(content)
                assert parts[key + ".txt"].decode() == about["captions"][0]
                yield about, parts[key + ".png"]


@unittest.skipUnless((DATA / "manifest.json").exists(), f"no shards in {DATA}")
class WrittenShards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.manifest = json.loads((DATA / "manifest.json").read_text())
        cls.train = list(read("train-*.tar"))
        cls.validation = [about for about, _ in read("val-known.tar")]
        cls.evaluation = {p.stem: list(read(p.name)) for p in sorted(DATA.glob("eval-*.tar"))}

    def test_counts_match_the_manifest(self):
        self.assertEqual(len(self.train), self.manifest["train"]["samples"])
        for shard in self.manifest["shards"]:
            self.assertTrue((DATA / shard["file"]).exists(), shard["file"])

    def test_no_held_out_vendor_is_trained_on(self):
        sets = {s for names in HELD_OUT_VENDORS.values() for s in names}
        for about, _ in self.train:
            self.assertNotIn(about["vendor"], HELD_OUT_VENDORS)
            self.assertNotIn(about["set"], sets)

    def test_no_caption_is_a_held_out_phrase(self):
        found = {c for about, _ in self.train for c in about["captions"] if is_held_out(c)}
        self.assertEqual(found, set())

    def test_only_permissive_licences(self):
        self.assertLessEqual({about["license"] for about, _ in self.train}, PERMISSIVE)

    def test_concepts_are_those_of_the_phrases(self):
        for about, _ in self.train:
            self.assertEqual(about["concept"], concept_of(about["phrase"]))
            self.assertTrue(1 <= len(about["captions"]) <= 8)

    def test_known_is_known_and_unseen_is_unseen(self):
        trained = {key_of(about["phrase"]) for about, _ in self.train}
        for name, samples in self.evaluation.items():
            for about, _ in samples:
                if name.endswith("-known"):
                    self.assertIn(key_of(about["phrase"]), trained)
                else:
                    self.assertTrue(is_held_out(about["phrase"]))
                    self.assertNotIn(key_of(about["phrase"]), trained)

    def test_validation_shares_no_set_and_concept_with_training(self):
        trained = {(about["set"], key_of(about["phrase"])) for about, _ in self.train}
        for about in self.validation:
            self.assertNotIn((about["set"], key_of(about["phrase"])), trained)

    def test_no_training_picture_is_near_a_held_out_vendors(self):
        held = np.frombuffer(b"".join(_shown(png) for s in self.evaluation.values() for _, png in s), np.uint8)
        trained = np.frombuffer(b"".join(_shown(png) for _, png in self.train), np.uint8)
        size = render.THUMB_PX**2 * 3
        near = split.near_any(trained.reshape(-1, size), held.reshape(-1, size), ground=255)
        # On white, unlike the grey that pictures are compared on, a few pale ones come out alike.
        self.assertLess((near >= 0).mean(), 0.001)

    def test_pictures_are_72_px(self):
        for about, png in self.train[::997]:
            picture = Image.open(io.BytesIO(png))
            self.assertEqual((picture.size, picture.mode), ((72, 72), "RGBA"))


def _shown(png):
    """The thumbnail of a picture on white."""
    rgb = render.on_ground(np.array(Image.open(io.BytesIO(png)).convert("RGBA")), 255)
    return render.thumb_of(rgb).tobytes()


if __name__ == "__main__":
    unittest.main()
