"""A contact sheet: some images of every task, bare and with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from usmt import TaskSpec, TaskType
from usmt_phantom.dataset import Phantom, PhantomOptions

_GAP = 4
_TITLE = 16


def draw_sheet(
    tasks: Sequence[TaskSpec],
    drawers: Mapping[str, TaskType],
    *,
    size: int = 128,
    columns: int = 4,
    seed: int = 0,
) -> Image.Image:
    """Two panels of tasks side by side. A task's row shows `columns` images, each followed by
    the same image with its label as `drawers[task.type]` draws it."""
    rows = [_row(task, drawers[task.type], size, columns, seed) for task in tasks]
    half = (len(rows) + 1) // 2
    width, height = rows[0].size
    panels = 2 if len(rows) > 1 else 1
    picture = Image.new("RGB", (width * panels, height * half))
    for k, row in enumerate(rows):
        picture.paste(row, (k // half * width, k % half * height))
    return picture


def _row(task: TaskSpec, drawer: TaskType, size: int, columns: int, seed: int) -> Image.Image:
    dataset = Phantom(PhantomOptions(images=max(columns, 10), size=size, seed=seed))
    cell = size + _GAP
    row = Image.new("RGB", (2 * columns * cell + 2 * _GAP, cell + _TITLE))
    ImageDraw.Draw(row).text(
        (2, 1), f"{task.id} ({task.type})", "white", ImageFont.load_default(11)
    )
    for k, record in enumerate(dataset.records(task)[:columns]):
        grey = dataset.read_image(record)
        image = np.repeat(grey[..., None], 3, axis=2)
        drawn = drawer.draw_label(task, image, dataset.read_label(record, task))
        for n, array in enumerate((image, drawn)):
            row.paste(Image.fromarray(array), ((2 * k + n) * cell, _TITLE))
    return row
