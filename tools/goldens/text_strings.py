"""Strings to compare tokenizers on: plain captions, all scripts, and every kind of damage that ftfy repairs.

strings(count, seed) is the same list for the same Python version and arguments.
"""

import html.entities
import random
import unicodedata

WORDS = """a an the photo picture icon emoji drawing of in on with and red green blue small big old new dog cat house tree
car man woman person's bird's we'll they're i'd you've i'm don't flower street city sky night day 2 3 10 1984 3d 4k
half-eaten black & white #1 @home e.g. etc... (close up) "quoted" 100% $5 isn't O'Neill's re-used café naïve rock'n'roll
Mount Everest NASA iPhone USA McDonald's L'Oréal Straße Ångström jalapeño""".split()

# A line or two in many languages, so that words of real scripts are there too.
NATURAL = [
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits. L'été à la plage, où ça ?",
    "Todos los seres humanos nacen libres e iguales. ¿Qué pasó? ¡Ñandú!",
    "Todas as pessoas nascem livres; não há exceção, às vezes àquela hora.",
    "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "Всі люди народжуються вільними і рівними. Ґанок, їжак, єдність.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι. ΟΔΥΣΣΕΥΣ ΣΑΣ Σ ΑΣ, ΑΣ! ΣΊΣΥΦΟΣ",
    "Bütün insanlar hür doğar. İSTANBUL IĞDIR ılık İyi ğüşiöç",
    "Wszyscy ludzie rodzą się wolni. Zażółć gęślą jaźń, łódź",
    "Všichni lidé rodí se svobodní. Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Minden emberi lény szabadon születik. árvíztűrő tükörfúrógép",
    "Visi cilvēki piedzimst brīvi. Glāžšķūņa rūķīši. Įlinkdama fechtuotojo špaga",
    "Toate ființele umane se nasc libere. Țânțar și şofer ţară",
    "Mọi con người sinh ra đều được tự do. Tiếng Việt ở Việt Nam",
    "すべての人間は、生まれながらにして自由であり、ﾊﾟﾋﾟﾌﾟ ｶﾞｷﾞ カメラ",
    "人人生而自由，在尊严和权利上一律平等。繁體中文「引號」",
    "모든 인간은 태어날 때부터 자유로우며 ㄱㄴㄷ ﾡﾢ 각",
    "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق ١٢٣",
    "כל בני האדם נולדו בני חורין ושווים בְּעֶרְכָּם",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में १२३",
    "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা ১২৩",
    "எல்லா மனிதரும் சுதந்திரமாகவே பிறக்கின்றனர்",
    "มนุษย์ทั้งหลายเกิดมามีอิสระ ๑๒๓ น้ำ",
    "ყველა ადამიანი იბადება თავისუფალი ᲧᲕᲔᲚᲐ",
    "Բոլոր մարդիկ ծնվում են ազատ ԵՒ և",
    "ሁሉም ሰዎች ነጻ ሆነው ተወለዱ",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣ 👍🏽 ☺️ ™️ ©",
]

ENCODINGS = "latin-1 cp1252 cp1251 cp1250 cp1253 cp1254 cp1257 iso-8859-2 mac-roman cp437".split()
SPACES = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
TRICKY = list("'’‘“”„\"`<>&;#?!._-–—…•·\\/|{}[]()*+=~^%$€£¥ ­ſKÅΩΣςσİıßẞŉĳǅﬀﬁﬃﬅ�\x1a\x1b\x00\x7f\x80\x92\x85\x9d\uf8ff\u0345\u0338ÃÂâðïàœŒ")
PIECES = [
    "<start_of_text>", "<end_of_text>", "<START_OF_TEXT>", "<ſtart_of_text>", "'S", "'ſ", "'ll", "'RE", "'vE", "'ﬅ", "'ſt",
    "\x1b[31m", "\x1b[0;1m", "\x1b[m", "\x1b[٣m", "\x1b[", "\x1b[3", "\r\n", "\n", "\ufeff", "&amp;amp;lt;", "&amp;#38;amp;quot;",
    "&#x26;amp;", "&#8217;", "&#x80;", "&#0;", "&#xD800;", "&#x110000;", "&#99999999999;", "&#59;", "&#x1b;[1m", "&#xfdd0;",
    "&#10;", "&#13;", "&nbsp", "&notit;", "&noti", "&ampamp;", "&AMP", "&LT;", "&EACUTE;", "&SZLIG;", "&;", "&#;", "&#x;", "&#xg;",
    "â€™", "â€œ like this â€�", "Ã©", "Ã la mode", "voilÃ le", "Ã ", "Â ", "Â£", "ï»¿", "ðŸ˜€", "Ã¯Â»Â¿", "â€\x9d", "Ð¿Ñ€Ð¸", "å\x85¬",
    "à² ", "√†", "‚Äì", "вЂ™", "Ã\xa0", "ÃƒÂ©", "Ã¢â‚¬â„¢", "\xc0\x80", "í\xa0½í¸\x80", "í\xa0½í¸\n", "À\n", "×³", "β€™", "ā€", "Ø§Ù„",
    "Ã quilo", "Ã quele", "Ã quela", "Ã s vezes", "Ã squilo", "À&#10;Ã©x", "â\x85 Ã©", "ã\x85 Ã©", "â \x85Ã©", "à\x85 ", "á \x99Ã©",
    "í\xa0½í¸&#10;é", "û Ã©", "–Ä ", "√± √ ®",
]  # fmt: skip


def captions(rng):
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 14))]
    text = rng.choice([" ", " ", " ", "  ", "_", ""]).join(words)
    return rng.choice([str.lower, str, str, str.upper, str.title])(text)


def natural(rng):
    line = rng.choice(NATURAL)
    if rng.random() < 0.3:
        return line
    words = line.split(" ")
    a = rng.randrange(len(words))
    return rng.choice([" ".join(words[a:]), rng.choice(words).upper(), " ".join(rng.choices(words, k=5)).title()])


def any_char(rng, limit=0x110000):
    while True:
        c = rng.choice((rng.randrange(limit), rng.randrange(0x3000), rng.randrange(0x500)))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_chars(rng):
    return "".join(any_char(rng) for _ in range(rng.randint(1, 20)))


def block_chars(rng):
    """Neighbours in the code charts, as words of one script."""
    start = rng.choice((rng.randrange(0x3000), rng.randrange(0x20000), rng.randrange(0xA000, 0x10000)))
    chars = [chr(c) for c in range(start, start + 40) if not 0xD800 <= c < 0xE000]
    return "".join(rng.choice(chars + [" "] * 4) for _ in range(rng.randint(1, 24))) if chars else ""


MARKS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and unicodedata.combining(chr(c))]
JAMO = [chr(c) for c in (*range(0x1100, 0x1200), 0xAC00, 0xAC01, 0xAC1C, *range(0xFFA0, 0xFFDD))]


def combining(rng):
    base = "aeoAEOnuıiΩαυक가ᄀ<=> " + any_char(rng, 0x2000)
    return "".join(
        rng.choice(base) + "".join(rng.choice(MARKS) if rng.random() < 0.5 else chr(rng.randrange(0x300, 0x370)) for _ in range(rng.randrange(5)))
        for _ in range(rng.randint(1, 6))
    ) + "".join(rng.choices(JAMO, k=rng.randrange(4)))  # fmt: skip


def misread(rng, text):
    """Text as UTF-8 read in another encoding, its gaps left as controls (as browsers do) or lost."""
    encoding = rng.choice(ENCODINGS)
    lost = rng.random() < 0.3
    out = []
    for byte in text.encode("utf-8", "replace"):
        try:
            out.append(bytes([byte]).decode(encoding))
        except UnicodeDecodeError:
            out.append("\ufffd" if lost else chr(byte))
    return "".join(out)


def mojibake(rng):
    text = rng.choice((natural, natural, captions, random_chars, block_chars, tricky))(rng)[:60]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        text = misread(rng, text)
    change = rng.randrange(8)
    if change == 0:
        text = text.replace("\xa0", " ")
    elif change == 1:
        text = text.replace("\ufffd", "?")
    elif change == 2:
        cut = rng.randrange(len(text) + 1)
        text = text[:cut] + rng.choice((natural, captions, tricky))(rng)[:20] + text[cut:]
    elif change == 3:
        text = text[rng.randrange(len(text) + 1) :]
    elif change == 4:
        text = text.lower() if rng.random() < 0.5 else text.upper()
    return text


SUSPECTS = sorted(
    {bytes([b]).decode(e, "replace") for e in ENCODINGS for b in range(0x80, 0x100)} | set("abzAZ ,.!?\n\x1a0_") | {chr(c) for c in range(0x80, 0x100)}
)


def suspects(rng):
    """Random characters of the few hundred that misread text has."""
    return "".join(rng.choice(SUSPECTS) for _ in range(rng.randint(2, 12)))


def utf8ish(rng):
    """Nearly well-formed UTF-8, read in one encoding: the paths of lost and altered bytes."""
    encoding = rng.choice(ENCODINGS[:3])
    out = b""
    for _ in range(rng.randint(1, 6)):
        lead = rng.choice((0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9, 0xE0, 0xE2, 0xE3, 0xED, 0xEF, 0xF0, 0xF0, 0xF3, 0xF4, 0xC0, rng.randrange(0xC0, 0x100)))
        more = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
        tail = [rng.choice((0x20, 0x3F, 0xA0, 0x9F, 0x80, 0x99, 0x85, *[rng.randrange(0x80, 0xC0)] * 6)) for _ in range(more)]
        if lead == 0xED and rng.random() < 0.6:
            tail = [rng.randrange(0xA0, 0xB0), rng.randrange(0x80, 0xC0), 0xED, rng.randrange(0xB0, 0xC0), rng.choice((0x0A, 0x3F, 0x1A, rng.randrange(0x80, 0xC0)))]
        out += bytes([lead, *tail]) + rng.choice((b"", b"", b" ", b"a", b"s ", b"quela", b"\n"))
    text = "".join(bytes([b]).decode(encoding) if encoding == "latin-1" or b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D, 0x98) else chr(b) for b in out)
    return text.replace("\x1a", "\ufffd") if rng.random() < 0.7 else text


NAMES = sorted(html.entities.html5)


def entities(rng):
    out = []
    for _ in range(rng.randint(1, 5)):
        kind = rng.randrange(8)
        if kind < 4:
            name = rng.choice(NAMES)
            name = rng.choice((name, name, name, name.rstrip(";"), name.upper(), name.lower(), name[:-1] + rng.choice("x;&1 "), name.swapcase()))
            out.append("&" + name)
        elif kind < 6:
            number = rng.choice((rng.randrange(0x100), rng.randrange(0x3000), rng.randrange(0x120000), 0xD800, 0xFFFE, 0xFDD5, 10**rng.randrange(12)))
            out.append("&#" + rng.choice((f"{number}", f"x{number:x}", f"X{number:X}", f"0{number}")) + rng.choice(";;;; a"))
        elif kind == 6:
            out.append("&" + "amp;" * rng.randint(1, 4) + rng.choice(("lt;", "eacute;", "#39;", "amp", "")))
        else:
            out.append(rng.choice(PIECES))
        out.append(rng.choice(("", " ", "a", ";", "é", "\n", "\u0338")))
    text = "".join(out)
    return text + rng.choice(("", "", "<b>", "\n<i>\n&eacute;")) if rng.random() < 0.3 else text


def tricky(rng):
    return "".join(rng.choice(rng.choice((TRICKY, PIECES, WORDS, SPACES, SUSPECTS))) for _ in range(rng.randint(1, 10)))


def widths(rng):
    return "".join(chr(rng.choice((rng.randrange(0xFF00, 0xFFF0), rng.randrange(0x3000, 0x3100)))) for _ in range(rng.randint(1, 12)))


def lines(rng):
    parts = [rng.choice((captions, mojibake, natural, entities, tricky))(rng) for _ in range(rng.randint(2, 5))]
    return "".join(p + rng.choice(("\n", "\r\n", "\r", "\u2028", "\x85", "\n\n", " ")) for p in parts)


def long_words(rng):
    letters = rng.choice(("ab", "aeiou", "etaoinshrdlu", "а", "aaaa", "!?", "😀👍", "lol"))
    return "".join(rng.choice(letters) for _ in range(rng.randint(30, 120)))


KINDS = [
    (captions, 24), (natural, 8), (random_chars, 8), (block_chars, 8), (combining, 6), (mojibake, 16), (suspects, 6), (utf8ish, 6),
    (entities, 8), (tricky, 8), (widths, 2), (lines, 4), (long_words, 2),
]  # fmt: skip


def every_character():
    """Each assigned character and a sample of the others, alone and in the contexts that matter to case and to words."""
    out = []
    for c in range(0x110000):
        assigned = unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")
        if assigned and not (0x3400 < c < 0xA000 or 0xAC00 < c < 0xD7A4 or 0x17000 < c < 0x18D00 or 0x20000 < c < 0x32000):
            out.append(f"a{chr(c)}b 1{chr(c)}2 '{chr(c)} aΣ{chr(c)}")
        elif c % 97 == 0 and not 0xD800 <= c < 0xE000:
            out.append(f"a{chr(c)}b {chr(c)}Σ")
    return out


def every_entity():
    return [f"x &{name} y &{name.rstrip(';')}z &{name.upper()} &amp;{name}" for name in NAMES]


def strings(count, seed=0, exhaustive=False):
    rng = random.Random(seed)
    out = every_character() + every_entity() if exhaustive else []
    makers = [maker for maker, weight in KINDS for _ in range(weight)]
    while len(out) < count:
        out.append(rng.choice(makers)(rng))
    return out
