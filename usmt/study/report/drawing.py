"""How figures look, and how they become files: colours, fonts, SVG and PNG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure as Canvas

from usmt.study.report.wording import plain

WIDTH = 4.5
"""Inches of a panel: two stand side by side on a desk's screen, one on a phone's."""
NARROW = 3.0
SMALLEST, LARGEST = 0.66, 1.15
"""How much smaller and larger than drawn a page may show a panel; a narrow page scrolls it."""
INK, MUTED, FAINT, BAND = "#1a1a1a", "#595959", "#b5b5b5", "#ececec"

# Okabe and Ito's colours, told apart by the colour-blind; the markers tell them apart in grey.
# The first is for the reference.
COLOURS = (INK, "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("s", "o", "^", "D", "v", "P", "X")
HARM, GAIN = "#D55E00", "#0072B2"
GAP = "\u2003"
"""A wide space, which a browser does not join with its neighbours as it does plain ones."""

# Text stays text in an SVG, so a reader's own fonts show what these cannot.
_WANTED = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans", "Arial", "Helvetica")
_STYLE = {
    "font.size": 8.5,
    "text.parse_math": False,  # names may hold dollars
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "usmt",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and marker of an arm."""

    colour: str
    marker: str

    @classmethod
    def number(cls, index: int) -> Look:
        return cls(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)])


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture yet to be drawn.

    Attributes:
        name: of its files.
        alt: what it shows, for those who cannot see it.
    """

    name: str
    alt: str
    draw: Callable[[], Canvas]


@dataclass(frozen=True, slots=True)
class Figure:
    """One or several drawings with a title and a sentence on how to read them.

    Attributes:
        narrow: whether the drawings are `NARROW`, so that more than two fit side by side.
    """

    title: str
    caption: str
    drawings: Sequence[Drawing]
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, drawn."""

    svg: bytes
    png: bytes


def drawn(drawing: Drawing) -> Picture:
    """The same bytes for the same drawing."""
    installed = set(font_manager.get_font_names())
    family = [name for name in _WANTED if name in installed]
    with matplotlib.rc_context({**_STYLE, "font.family": family}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas = drawing.draw()
        svg, png = io.BytesIO(), io.BytesIO()
        # Without these matplotlib writes the time, itself and addresses into the file.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(svg, format="svg", metadata=nothing)
        canvas.savefig(png, format="png", dpi=200, metadata={"Software": None})
    return Picture(svg.getvalue(), png.getvalue())


def inline(picture: Picture, drawing: Drawing) -> str:
    """The SVG as a part of a page: ids that no other picture has, a text alternative, and
    bounds to its width."""
    text = picture.svg.decode()
    text = text[text.index("<svg") :]
    prefix = f"{drawing.name}-"
    text = re.sub(r'(\sid="|url\(#|href="#)', lambda match: match[0] + prefix, text)
    width = re.search(r'width="([\d.]+)pt"', text)
    points = float(width[1]) if width else 72 * WIDTH
    bounds = f"min-width: {SMALLEST * points:.0f}pt; max-width: {LARGEST * points:.0f}pt"
    opening = f'<svg role="img" aria-label="{escape(plain(drawing.alt))}" style="{bounds}"'
    return text.replace("<svg", opening, 1)
