"""A contact sheet: some images of every task, bare and with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from usmt import TaskSpec, TaskType
from usmt_phantom.dataset import Phantom, PhantomOptions

_GAP = 4
_TITLE = 16
_PAPER = (62, 68, 80)
"""Neither black nor grey, so that an image's own border and black corners are seen."""


def draw_sheet(
    tasks: Sequence[TaskSpec],
    drawers: Mapping[str, TaskType],
    *,
    size: int = 128,
    columns: int = 4,
    seed: int = 0,
) -> Image.Image:
    """Two panels of tasks side by side. A task's row has `2 columns` pictures: each image and the
    same image with its label, as `drawers[task.type]` draws it; of a classification, whose label
    hides next to nothing, twice as many images, with their labels alone. Images are `size` pixels
    wide."""
    rows = [_row(task, drawers[task.type], size, columns, seed) for task in tasks]
    half = (len(rows) + 1) // 2
    width, height = rows[0].size
    panels = 2 if len(rows) > 1 else 1
    sheet = Image.new("RGB", (width * panels, height * half), _PAPER)
    for k, row in enumerate(rows):
        sheet.paste(row, (k // half * width, k % half * height))
    return sheet


def _row(task: TaskSpec, drawer: TaskType, size: int, columns: int, seed: int) -> Image.Image:
    cell = size + _GAP
    row = Image.new("RGB", (2 * columns * cell + 2 * _GAP, cell + _TITLE), _PAPER)
    ImageDraw.Draw(row).text(
        (_GAP, 1), f"{task.id} ({task.type})", "white", ImageFont.load_default(11)
    )
    for k, picture in enumerate(_pictures(task, drawer, size, columns, seed)):
        row.paste(Image.fromarray(picture), (_GAP + k * cell, _TITLE))
    return row


def _pictures(
    task: TaskSpec, drawer: TaskType, size: int, columns: int, seed: int
) -> list[np.ndarray]:
    """`2 columns` pictures, uint8 (H, W, 3)."""
    paired = task.type != "classification"
    count = columns if paired else 2 * columns
    dataset = Phantom(PhantomOptions(images=max(count, 10), size=size, seed=seed))
    pictures = []
    for record in dataset.records(task)[:count]:
        image = np.repeat(dataset.read_image(record)[..., None], 3, axis=2)
        if paired:
            pictures.append(image)
        pictures.append(drawer.draw_label(task, image, dataset.read_label(record, task)))
    return pictures
