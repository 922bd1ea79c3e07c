"""One case of DDTI: an XML file with a level of suspicion and the outlines of nodules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from usmt import Defect, Fault

FURTHEST = 1e6
"""Pixels from the image's corner; no outline goes there."""

Outline = tuple[tuple[float, float], ...]
"""Corners of a polygon, x and y in pixels."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What was drawn on one image.

    Attributes:
        image: the image's number within the case.
        place: `12.xml:9`.
        outlines: of different nodules, or of the parts of one; empty where nothing was drawn.
        defect: why the outlines cannot be used.
    """

    image: str
    place: str
    outlines: tuple[Outline, ...] = ()
    defect: Fault | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One XML file.

    Attributes:
        name: of the file, which its images' names begin with.
        tirads: as it is written; empty where no level was given.
        damage: why the file cannot be read; it then has no marks.
    """

    name: str
    tirads: str = ""
    marks: tuple[Mark, ...] = ()
    damage: Defect | None = None


class _CaseError(Exception):
    """What is wrong, and on which line."""

    def __init__(self, line: int, text: str, kind: str = "not XML") -> None:
        super().__init__(text)
        self.line = line
        self.fault = Fault(text, kind)


def read_case(path: Path) -> Case:
    """Never raises: see `Case.damage` and `Mark.defect`."""
    try:
        root, lines = _parsed(path)
        if root.tag != "case":
            raise _CaseError(1, f"the root is <{root.tag}>, expected <case>")
        number = _text(root, "number")
        if number != path.stem:
            line = _line(root, "number", lines)
            text = f"the case's number is '{number}', but the file is named '{path.stem}'"
            raise _CaseError(line, text, "contradiction")
        marks = tuple(_mark(path, mark, lines[mark]) for mark in root.iter("mark"))
        return Case(path.stem, _text(root, "tirads"), marks)
    except _CaseError as error:
        place = f"{path.name}:{error.line}"
        return Case(path.stem, damage=Defect("", place, error.fault, error.fault.kind))


def _parsed(path: Path) -> tuple[Element, dict[Element, int]]:
    """The root, and the line of each element. Document types, and with them entities that grow
    or read other files, are refused."""
    builder, lines = TreeBuilder(), {}
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        lines[builder.start(tag, attributes)] = parser.CurrentLineNumber

    def refuse(*_: Any) -> None:
        raise _CaseError(parser.CurrentLineNumber, "it declares a document type; none is expected")

    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise _CaseError(error.lineno, f"not XML: {expat.ErrorString(error.code)}") from None
    except (LookupError, ValueError) as error:  # an encoding that is unknown, or not served
        raise _CaseError(1, f"not XML: {error}") from None
    except OSError as error:
        raise _CaseError(1, f"cannot be read: {error.strerror}", "unreadable file") from None
    return builder.close(), lines


def _mark(path: Path, mark: Element, line: int) -> Mark:
    image, place = _text(mark, "image"), f"{path.name}:{line}"
    if not image.isdecimal():
        text = f"<image> of a <mark> is '{image}', expected the number of an image"
        raise _CaseError(line, text, "wrong value")
    try:
        return Mark(image, place, tuple(dict.fromkeys(_outlines(_text(mark, "svg")))))
    except ValueError as error:
        return Mark(image, place, defect=Fault(str(error), "outline"))


def _outlines(svg: str) -> Iterator[Outline]:
    """Of JSON: `[{"points": [{"x": 1, "y": 2}, ...], ...}, ...]`. Raises `ValueError`."""
    if not svg:
        return
    try:
        regions = json.loads(svg)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"<svg> is not JSON: {error}") from None
    if not isinstance(regions, list):
        raise ValueError("<svg> is no list of regions")
    for number, region in enumerate(regions, 1):
        points = region.get("points") if isinstance(region, dict) else None
        if not isinstance(points, list):
            raise ValueError(f"region {number} of <svg> has no list of points")
        corners = tuple(map(_point, points))
        if None in corners or len(set(corners)) < 3:
            expected = 'expected {"x": number, "y": number}, at least three'
            raise ValueError(f"region {number} of <svg> is no outline: {expected}")
        yield tuple(filter(None, corners))


def _point(point: object) -> tuple[float, float] | None:
    if not isinstance(point, dict):
        return None
    x, y = (_coordinate(point.get(axis)) for axis in ("x", "y"))
    return None if x is None or y is None else (x, y)


def _coordinate(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if -FURTHEST < value < FURTHEST else None


def _text(element: Element, tag: str) -> str:
    """Stripped; empty where there is no such element."""
    return (element.findtext(tag) or "").strip()


def _line(root: Element, tag: str, lines: dict[Element, int]) -> int:
    found = root.find(tag)
    return 1 if found is None else lines[found]
