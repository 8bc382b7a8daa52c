"""What every source yields: one picture to draw, and the words that are said of it."""

from dataclasses import dataclass, field


@dataclass
class Picture:
    """kind, source: what render.draw_all takes. names: main phrase first, then other names of the same picture.
    tags: looser words. emoji: whether it stands for a Unicode emoji."""
    set: str
    vendor: str
    license: str
    kind: str
    source: str
    names: list
    tags: list = field(default_factory=list)
    emoji: bool = False
    colour: bool = False
    origin: str = ""  # its name in its set, for reports
