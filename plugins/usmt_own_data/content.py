"""What a record of own data holds, and how image and label are read from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from usmt import DataError, Record, fingerprint_files
from usmt_own_data.mask_values import MaskReader

Label = int | float | tuple[float, ...] | tuple[tuple[float, float], ...] | tuple[str, ...]
"""A class, a number, a box (x_min, y_min, x_max, y_max), points (x, y), or names."""


@dataclass(frozen=True, slots=True)
class Content:
    """None is what the record does not have, or what could not be read of it. `pixel_size` is the
    width and height of a pixel in mm."""

    image: Path | None = None
    label: Label | None = None
    mask: Path | None = None
    reader: MaskReader | None = None
    pixel_size: tuple[float, float] | None = None


def image_of(record: Record) -> np.ndarray:
    """uint8, (H, W) or (H, W, 3). Raises `DataError`."""
    from usmt import read_image

    content: Content = record.payload
    if content.image is None:
        raise DataError(record.defect or "no image")
    return read_image(content.image)


def label_of(record: Record) -> Any:
    """In the form of the task's type: int, float, a mask uint8 (H, W), a box (4,) or points (P, 2)
    of float64, a frozenset of names. Raises `DataError`."""
    content: Content = record.payload
    if content.mask is not None and content.reader is not None:
        return content.reader.read(content.mask)
    if content.label is None:
        raise DataError(record.defect or "no label")
    if not isinstance(content.label, tuple):
        return content.label
    if all(isinstance(name, str) for name in content.label):
        return frozenset(content.label)
    return np.array(content.label, np.float64)


def fingerprint_of(record: Record) -> str | None:
    """SHA-256 over the files' bytes and what else the label depends on."""
    content: Content = record.payload
    if content.image is None:
        return None
    files = [path for path in (content.image, content.mask) if path is not None]
    return fingerprint_files((content.label, content.reader), *files)
