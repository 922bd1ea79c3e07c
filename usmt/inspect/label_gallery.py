"""Pictures of images with their labels drawn on, to be looked at: the image bare beside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from usmt.data.examine import examine
from usmt.data.image_file import png_bytes
from usmt.dataset import Record
from usmt.errors import DataError
from usmt.inspect.inventory import Inventory

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 240
"""Longest side of an image in a PNG, pixels; HTML has images in their own size."""
PAIRS = 4
"""Images in a row of a PNG, each twice."""
GAP, LINE = 6, 16
PAPER = (62, 68, 80)
"""Neither black nor grey, so that an image's own border is seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One record: its image bare and with the label, both uint8 (H, W, 3)."""

    record: Record
    bare: np.ndarray
    labelled: np.ndarray


def draw_examples(
    inventory: Inventory, task: str, records: Sequence[Record], count: int, seed: int
) -> list[Example]:
    """Draws the labels of `count` records by lot, in the order of their keys; those with defects
    are passed over.

    Raises `DataError` if there is none.
    """
    ordered = sorted(records, key=lambda record: record.key)
    order = np.random.default_rng(seed).permutation(len(ordered))
    examples: list[Example] = []
    for i in order:
        if len(examples) == count:
            break
        if example := _example(inventory, ordered[i]):
            examples.append(example)
    if not examples:
        raise DataError(
            f"task '{task}' has no record that can be shown",
            hint="Its defects: usmt data check. Without --side, all of its records count.",
        )
    return sorted(examples, key=lambda example: example.record.key)


def _example(inventory: Inventory, record: Record) -> Example | None:
    task_type, spec = check = inventory.checks[record.task]
    found = examine(inventory.dataset, record, check)
    if found.faults or found.image is None:
        return None
    image = found.image
    bare = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    return Example(record, bare, task_type.draw_label(spec, bare, found.label))


# -- as PNG


def as_png(galleries: Mapping[str, Sequence[Example]]) -> bytes:
    """One picture: each task under its heading, images bare and labelled side by side."""
    from PIL import Image

    parts = [_panel(task, examples) for task, examples in galleries.items()]
    width = max(part.width for part in parts)
    sheet = Image.new("RGB", (width, sum(part.height for part in parts)), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _panel(task: str, examples: Sequence[Example]) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    rows = [_row(examples[i : i + PAIRS]) for i in range(0, len(examples), PAIRS)]
    height = LINE + GAP + sum(row.height for row in rows)
    panel = Image.new("RGB", (max(row.width for row in rows), height), PAPER)
    ImageDraw.Draw(panel).text((GAP, GAP), task, "white", ImageFont.load_default(13))
    top = LINE + GAP
    for row in rows:
        panel.paste(row, (0, top))
        top += row.height
    return panel


def _row(examples: Sequence[Example]) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    pairs = [[_fitted(one.bare), _fitted(one.labelled)] for one in examples]
    height = max(picture.height for pair in pairs for picture in pair)
    pair_width = 2 * CELL + 3 * GAP
    row = Image.new("RGB", (len(pairs) * pair_width + GAP, LINE + height + GAP), PAPER)
    draw, font = ImageDraw.Draw(row), ImageFont.load_default(11)
    for place, (example, pair) in enumerate(zip(examples, pairs, strict=True)):
        left = GAP + place * pair_width
        draw.text((left, 0), _end(example.record.key), "white", font)
        for side, picture in enumerate(pair):
            row.paste(picture, (left + side * (CELL + GAP), LINE))
    return row


def _fitted(pixels: np.ndarray) -> Image:
    from PIL import Image

    picture = Image.fromarray(pixels)
    scale = CELL / max(picture.size)
    return picture.resize([max(1, round(scale * side)) for side in picture.size])


def _end(key: str, most: int = 75) -> str:
    """The end of a key, which tells images apart."""
    return key if len(key) <= most else f"...{key[3 - most :]}"


# -- as HTML

_STYLE = """
body { background: #3e4450; color: #fff; font: 14px sans-serif; margin: 1.5em; }
div { display: flex; flex-wrap: wrap; gap: 1em; }
figure { margin: 0; }
figcaption { overflow-wrap: anywhere; max-width: 44em; padding-bottom: 0.3em; }
img { max-width: 22em; width: 48%; min-width: 12em; image-rendering: pixelated; }
"""


def as_html(dataset: str, galleries: Mapping[str, Sequence[Example]]) -> bytes:
    """One page that needs no other file: its images are in it, and it has no script."""
    title = html.escape(f"Labels of {dataset}")
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
    ]
    for task, examples in galleries.items():
        lines.append(f"<h2>{html.escape(task)}</h2><div>")
        for example in examples:
            caption = html.escape(f"{example.record.place}: {example.record.key}")
            pictures = _image(example.bare, "image") + _image(example.labelled, "label")
            lines.append(f"<figure><figcaption>{caption}</figcaption>{pictures}</figure>")
        lines.append("</div>")
    lines.append("</body></html>\n")
    return "\n".join(lines).encode()


def _image(pixels: np.ndarray, name: str) -> str:
    data = base64.b64encode(png_bytes(pixels)).decode()
    return f'<img alt="{name}" src="data:image/png;base64,{data}">'
