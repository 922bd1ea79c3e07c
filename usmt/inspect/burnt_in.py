"""Marks that were drawn on an image and saved with it: calipers, text, coloured lines.

A network can learn from them where the answer is. They are told from tissue by what tissue never
is: a cross of even, bright arms on darker ground; three or more bright figures of one height in a
row; thin strokes of strong colour on an image that is grey otherwise. What is found, and what is
missed, is told in docs/how_to/data.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import NamedTuple

import cv2
import numpy as np

LONGEST_SIDE = 640
"""Larger images are made smaller first."""

ARMS = (3, 4, 5)
"""Lengths of a cross' arms, pixels. Longer ones are found by their inner part, thicker ones when
the image is halved."""
CROSS_CONTRAST = 40
"""Grey levels between the darkest arm of a cross and the brightest place between its arms."""
CROSS_LIKENESS = 0.72
"""Least correlation with a drawn cross. In 516 real scans without marks no place has both."""

EQUAL_FIGURES, OTHER_FIGURES = 3, 4
"""So many figures on one line are text: of one height, or of letters with and without ascenders."""
FIGURE_HEIGHTS = (5, 24)
STROKE = 7
"""Strokes of figures and coloured lines are thinner than this, pixels."""
STROKE_CONTRASTS = (50, 80, 110)
"""Grey levels; figures that touch come apart at some of them."""
TEXT_CONTRAST = 45
"""Grey levels between the figures and the bright part of what is behind them."""

COLOURED = 60
"""Difference between the channels of a pixel of strong colour."""
GREY = 0.15
"""Largest saturation of an image that counts as grey: the median over its pixels that are not dark,
of which a tint makes all of one colour."""
DARK = 40
LEAST_COLOURED = 12
"""Pixels of coloured strokes: those of the smallest cross."""
MOST_COLOURED = 0.05
"""Share of the image; more is colour Doppler."""
THIN = 0.6
"""Least share of the coloured pixels that are in thin strokes."""

Place = tuple[int, int]
"""(x, y)"""

_UPRIGHT = ((0, 1), (0, -1), (1, 0), (-1, 0))
_OBLIQUE = ((1, 1), (1, -1), (-1, 1), (-1, -1))


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark: what it is, and where, in pixels of the image."""

    what: str
    x: int
    y: int

    def __str__(self) -> str:
        return f"{self.what} at ({self.x}, {self.y})"


def find_marks(image: np.ndarray) -> list[Mark]:
    """The first mark of each kind on a uint8 image, (H, W) or (H, W, 3) RGB."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(scale * width)), max(1, round(scale * height)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    # The brightest channel: yellow and green marks are as bright there as white ones.
    grey = np.ascontiguousarray(image if image.ndim == 2 else image.max(axis=2))
    found = {
        "a caliper": next(_crosses(grey), None),
        "text": next(_texts(grey), None),
        "a coloured line": _coloured_stroke(image) if image.ndim == 3 else None,
    }
    return [
        Mark(what, round(place[0] / scale), round(place[1] / scale))
        for what, place in found.items()
        if place is not None
    ]


# -- crosses


def _crosses(grey: np.ndarray) -> Iterator[Place]:
    """Centres of crosses, upright or oblique."""
    yield from _thin_crosses(grey)
    if min(grey.shape) > 1:
        half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        yield from ((2 * x, 2 * y) for x, y in _thin_crosses(half))


def _thin_crosses(grey: np.ndarray) -> Iterator[Place]:
    reach = max(ARMS) + 1
    padded = np.pad(grey, reach, mode="edge")
    for along, between in ((_UPRIGHT, _OBLIQUE), (_OBLIQUE, _UPRIGHT)):
        places = np.argwhere(_may_be_cross(grey, along, between)) + reach
        if len(places) == 0:
            continue
        arms = _rays(padded, places, along, range(1, max(ARMS) + 1))
        corners = _rays(padded, places, between, range(2, max(ARMS)))
        for k in ARMS:
            darkest = arms[..., :k].sum(axis=2).min(axis=0)
            ground = corners[..., : (k + 1) // 2 - 1].max(axis=(0, 2))
            for y, x in places[darkest >= k * (ground + CROSS_CONTRAST)]:
                patch = padded[y - k - 1 : y + k + 2, x - k - 1 : x + k + 2]
                if _likeness(patch, _drawn_crosses(k, along is _OBLIQUE)) >= CROSS_LIKENESS:
                    yield int(x) - reach, int(y) - reach


def _may_be_cross(grey: np.ndarray, along: Sequence[Place], between: Sequence[Place]) -> np.ndarray:
    """bool (H, W): where each arm has one pixel, at least, that is bright enough. This is fast, and
    holds of every cross."""
    arms = [_brightest(grey, way, range(1, max(ARMS) + 1)) for way in along]
    ground = [_brightest(grey, way, (2,)) for way in between]
    return cv2.subtract(reduce(cv2.min, arms), reduce(cv2.max, ground)) >= CROSS_CONTRAST


def _brightest(grey: np.ndarray, way: Place, steps: Sequence[int]) -> np.ndarray:
    """The brightest pixel so many steps away in one direction, uint8 (H, W)."""
    reach = max(steps)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    for step in steps:
        kernel[reach + step * way[0], reach + step * way[1]] = 1
    return cv2.dilate(grey, kernel, borderType=cv2.BORDER_REPLICATE)


def _rays(
    padded: np.ndarray, places: np.ndarray, ways: Sequence[Place], steps: Sequence[int]
) -> np.ndarray:
    """Pixels from each place (n, 2) in each direction, int (ways, n, steps)."""
    offsets = np.array(ways)[:, None, None] * np.array(steps)[None, None, :, None]
    y, x = np.moveaxis(places[None, :, None] + offsets.reshape(len(ways), 1, -1, 2), 3, 0)
    return padded[y, x].astype(np.int64)


def _likeness(patch: np.ndarray, templates: np.ndarray) -> float:
    """The highest correlation of a patch (n, n) with one of the templates (m, n, n)."""
    patch = patch - patch.mean()
    norms = np.sqrt((templates**2).sum(axis=(1, 2)) * (patch**2).sum())
    return float(((templates * patch).sum(axis=(1, 2)) / np.maximum(norms, 1e-6)).max())


@cache
def _drawn_crosses(arm: int, oblique: bool) -> np.ndarray:
    """Crosses of lines one and two pixels thick, sharp and soft, with a margin of one pixel; of
    mean 0: (m, n, n)."""
    n = 2 * arm + 3
    thin = np.zeros((n, n), np.float32)
    for k in range(-arm, arm + 1):
        for dy, dx in _OBLIQUE if oblique else _UPRIGHT:
            thin[n // 2 + k * dy, n // 2 + k * dx] = 1
    pictures = [thin, cv2.GaussianBlur(thin, (3, 3), 0)]
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):  # of the pixel that both lines share
        pictures.append(cv2.dilate(thin, np.ones((2, 2), np.uint8), anchor=corner))
    return np.stack([picture - picture.mean() for picture in pictures])


# -- text


def _texts(grey: np.ndarray) -> Iterator[Place]:
    """Top left corners of lines of text."""
    strokes = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((STROKE, STROKE), np.uint8))
    for contrast in STROKE_CONTRASTS:
        ink = (strokes >= contrast).astype(np.uint8)
        outlines, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for line in _lines_of_figures(sorted(cv2.boundingRect(outline) for outline in outlines)):
            if _stands_out(grey, ink.astype(bool), line):
                yield line[0].left, min(figure.top for figure in line)


def _lines_of_figures(boxes: Iterable[tuple[int, int, int, int]]) -> Iterator[list[_Figure]]:
    """Figures side by side on one line.

    Args:
        boxes: left, top, width and height of whatever is bright, from left to right.
    """
    lowest, highest = FIGURE_HEIGHTS
    figures = [
        _Figure(*box) for box in boxes if lowest <= box[3] <= highest and box[2] <= 1.6 * box[3]
    ]
    used: set[_Figure] = set()
    for place, first in enumerate(figures):
        if first in used:
            continue
        line = [first]
        for figure in figures[place + 1 :]:
            gap = figure.left - line[-1].right
            if gap > 0.9 * first.height:
                break
            level = abs(figure.bottom - line[-1].bottom) <= 1
            if gap >= -1 and level and 0.6 <= figure.height / first.height <= 1.67:
                line.append(figure)
        heights = [figure.height for figure in line]
        of_one_height = max(sum(h in (height, height + 1) for h in heights) for height in heights)
        if of_one_height >= EQUAL_FIGURES or len(line) >= OTHER_FIGURES:
            used |= set(line)
            yield line


class _Figure(NamedTuple):
    """The box around a letter, a digit, or what looks like one; pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height


def _stands_out(grey: np.ndarray, ink: np.ndarray, line: Sequence[_Figure]) -> bool:
    """Whether figures are of one brightness, and brighter than what is around them."""
    boxes = [
        (slice(figure.top, figure.bottom), slice(figure.left, figure.right)) for figure in line
    ]
    levels = [float(np.percentile(grey[box][ink[box]], 60)) for box in boxes]
    if min(levels) < 0.75 * max(levels):
        return False
    top, bottom = min(f.top for f in line), max(f.bottom for f in line)
    area = slice(max(0, top - 2), bottom + 2), slice(max(0, line[0].left - 2), line[-1].right + 2)
    around = grey[area][cv2.dilate(ink[area].astype(np.uint8), np.ones((3, 3), np.uint8)) == 0]
    return around.size > 0 and min(levels) - np.percentile(around, 80) >= TEXT_CONTRAST


# -- colour


def _coloured_stroke(image: np.ndarray) -> Place | None:
    """A place on a thin coloured stroke, if strokes are all that is coloured."""
    brightness = image.max(axis=2)
    colour = brightness - image.min(axis=2)
    lit = brightness > DARK
    if lit.any() and np.median(colour[lit] / brightness[lit]) > GREY:
        return None
    coloured = (colour >= COLOURED).astype(np.uint8)
    thick = cv2.morphologyEx(coloured, cv2.MORPH_OPEN, np.ones((STROKE, STROKE), np.uint8))
    strokes = coloured & ~thick
    if strokes.sum() < max(LEAST_COLOURED, THIN * coloured.sum()) or strokes.mean() > MOST_COLOURED:
        return None
    y, x = np.argwhere(strokes)[0]
    return int(x), int(y)
