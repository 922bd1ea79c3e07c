"""What a file might hold as well: contents that are sound, and read otherwise.

A damaged file is mostly refused, which says nothing about a fingerprint. A mask that is drawn
again, or a table that is corrected, is read without an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

STILLS = (".png", ".jpg", ".jpeg", ".bmp")
"""Files of one image each. What may hold many (.gif, .dcm, .nii) is opened to count them."""
MOST_OTHERS = 2
"""Files of which the content is taken."""
MOST_DIGITS = 6
"""Digits of a text that are changed, one at a time."""
MOST_TEXT = 8 * 2**20
"""Bytes up to which a text is changed."""


def changes(
    path: Path, files: Sequence[Path], key: str, other: str | None
) -> Iterator[tuple[str, bytes]]:
    """How a file is changed, in words, and the bytes.

    Args:
        files: of the dataset, sorted.
        key: of the record that the file matters to.
        other: the key of another record.
    """
    yield from _of_others(path, files)
    if path.suffix.lower() in STILLS:
        yield from _drawn_otherwise(path)
    elif path.stat().st_size <= MOST_TEXT and b"\0" not in (text := path.read_bytes()):
        yield from _with_names_exchanged(text, key, other)
        yield from _with_another_digit(text, key)


def _of_others(path: Path, files: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """The next files of its kind: a mask's may be those of images, which are refused."""
    alike = [each for each in files if each.suffixes == path.suffixes]
    at = alike.index(path)
    for each in (alike[at + 1 :] + alike[:at])[:MOST_OTHERS]:
        yield f"with the content of {each.name}", each.read_bytes()


def _drawn_otherwise(path: Path) -> Iterator[tuple[str, bytes]]:
    from PIL import Image, ImageOps

    for how, draw in (("upside down", ImageOps.flip), ("inverted", ImageOps.invert)):
        changed = BytesIO()
        try:
            with Image.open(path) as image:
                draw(image).save(changed, format=image.format)
        except (OSError, ValueError):  # of a mode that it cannot draw, or no image
            continue
        yield how, changed.getvalue()


def _with_names_exchanged(text: bytes, key: str, other: str | None) -> Iterator[tuple[str, bytes]]:
    """So that the record has what was the other's, in whatever words that is said."""
    if other is None:
        return
    for one, two in ((Path(key).name, Path(other).name), (Path(key).stem, Path(other).stem)):
        mine, theirs = one.encode(), two.encode()
        if mine != theirs and mine in text and theirs in text:
            changed = text.replace(mine, b"\0").replace(theirs, mine).replace(b"\0", theirs)
            yield f"with '{one}' and '{two}' exchanged", changed


def _with_another_digit(text: bytes, key: str) -> Iterator[tuple[str, bytes]]:
    """In the lines that name the record, after the name; where none does, in all."""
    name = re.escape(Path(key).stem.encode())
    spans = [each.span(1) for each in re.finditer(rb"^.*?" + name + rb"(.*)$", text, re.M)]
    digits = [
        each.start()
        for first, last in spans or [(0, len(text))]
        for each in re.compile(rb"\d").finditer(text, first, last)
    ]
    for at in digits[:: -(-len(digits) // MOST_DIGITS) or 1]:
        digit = b"2" if text[at : at + 1] == b"1" else b"1"
        line = text.count(b"\n", 0, at) + 1
        yield f"with another digit in line {line}", text[:at] + digit + text[at + 1 :]
