"""Test-time augmentation: an image seen mirrored as well, where its task allows that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from usmt.data.geometry import Frame, affine
from usmt.task_spec import Flip


@dataclass(frozen=True, slots=True)
class View:
    """One look at an image.

    Attributes:
        image: (C, h, w) on the network's canvas.
        frame: leads back to the image's original pixels.
    """

    image: Tensor
    frame: Frame


def views_of(image: Tensor, frame: Frame, flip: Flip) -> list[View]:
    """The image as it is, then mirrored in each way that keeps the task's labels true."""
    views = [View(image, frame)]
    if flip in ("horizontal", "both"):
        move = affine(frame.network, flip_horizontal=True)
        views += [_mirrored(view, -1, move) for view in views]
    if flip in ("vertical", "both"):
        move = affine(frame.network, flip_vertical=True)
        views += [_mirrored(view, -2, move) for view in views]
    return views


def _mirrored(view: View, axis: int, move: np.ndarray) -> View:
    # Mirroring an array is exact; nothing is sampled anew.
    return View(view.image.flip(axis), view.frame.then(move))
