"""Names become plain phrases; keys join spellings of one concept."""

import unittest

from phrases import NameCleaner, concept_of, is_held_out, is_plain, key_of, normalise


class Phrases(unittest.TestCase):
    def test_normalise(self):
        self.assertEqual(normalise("Woman’s Sandal"), "womans sandal")
        self.assertEqual(normalise("flag: St. Kitts & Nevis"), "flag st kitts and nevis")
        self.assertEqual(normalise("Côte-d'Ivoire"), "cote divoire")

    def test_key_ignores_order_plural_and_fillers(self):
        self.assertEqual(key_of("arrow left"), key_of("left arrows"))
        self.assertEqual(key_of("flag of france"), key_of("france flag"))
        self.assertNotEqual(key_of("dog"), key_of("god"))
        self.assertEqual(concept_of("cherries"), concept_of("cherry"))
        self.assertEqual(is_held_out("arrow left"), is_held_out("left arrows"))

    def test_concepts_are_stable(self):
        self.assertEqual(concept_of("red apple"), concept_of("red apples"))
        self.assertLess(concept_of("red apple"), 2**31)

    def test_style_words_are_stripped(self):
        cleaner = NameCleaner(["home-24-filled", "home-20-regular"], ["24-filled", "20-regular"])
        self.assertEqual(cleaner.clean("home-24-filled"), "home")
        lines = [f"thing{c}-{s}" for c in "abcdefghijklmnop" for s in ("line", "fill")] + ["thinga-2-line"]
        cleaner = NameCleaner(lines)
        self.assertEqual(cleaner.clean("thingb-line"), "thingb")
        self.assertEqual(cleaner.clean("thinga-2-line"), "thinga")

    def test_words_that_only_look_like_styles_stay(self):
        cleaner = NameCleaner(["chart-line", "traffic-light", "dice", "dice-2"])
        self.assertEqual(cleaner.clean("chart-line"), "chart line")
        self.assertEqual(cleaner.clean("traffic-light"), "traffic light")
        self.assertEqual(cleaner.clean("dice-2"), "dice 2")

    def test_is_plain(self):
        self.assertTrue(is_plain("red apple"))
        self.assertFalse(is_plain("12"))
        self.assertFalse(is_plain("a b c d e f g"))


if __name__ == "__main__":
    unittest.main()
