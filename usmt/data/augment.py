"""Random changes of a training image that keep its label true, the same for every task type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from usmt.data.geometry import affine, move
from usmt.data.grey import as_three, distinct
from usmt.task_spec import Flip


def _normal_levels() -> np.ndarray:
    levels = np.array([NormalDist().inv_cdf((level + 0.5) / 256) for level in range(256)])
    return levels / levels.std()


NORMAL = _normal_levels()
"""256 equally likely values that are normally distributed, with deviation 1. Speckle takes one for
each pixel: a random byte costs a tenth of a normal deviate, and an image has no more levels."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the random changes; 0 turns one off.

    Attributes:
        degrees: largest rotation.
        scale: zoom between 1 - scale and 1 + scale.
        shift: largest shift, as a share of the canvas.
        flip: probability of each flip that the task allows.
        gain: brightness factor between 1 - gain and 1 + gain.
        gamma: exponent between 1 - gamma and 1 + gamma.
        speckle: largest standard deviation of multiplicative noise.
        shadow: probability of an acoustic shadow.
    """

    degrees: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    flip: float = 0.0
    gain: float = 0.0
    gamma: float = 0.0
    speckle: float = 0.0
    shadow: float = 0.0

    def __call__(
        self, image: Tensor, label: Mapping[str, Any], flip: Flip, rng: np.random.Generator
    ) -> tuple[Tensor, dict[str, Any]]:
        """Changes one image (3, h, w), values 0 to 255, and its wrapped label alike.

        Returns a float image in the same range. Landmarks and the centres of boxes stay on the
        canvas: a move that would push one off is made smaller.
        """
        matrix = self._draw_move(image, label, flip, rng)
        moved = move(tv_tensors.Image(distinct(image)), matrix).as_subclass(Tensor)
        changed = {name: move(value, matrix) for name, value in label.items()}
        return as_three(self._change_grey_values(moved, rng)), changed

    def _draw_move(
        self, image: Tensor, label: Mapping[str, Any], flip: Flip, rng: np.random.Generator
    ) -> np.ndarray:
        size = (int(image.shape[-2]), int(image.shape[-1]))
        flip_horizontal = flip in ("horizontal", "both") and rng.random() < self.flip
        flip_vertical = flip in ("vertical", "both") and rng.random() < self.flip
        turn, zoom, right, down = rng.uniform(-1, 1, 4)
        matrix = np.eye(3)
        for strength in (1.0, 0.5, 0.25, 0.0):
            matrix = affine(
                size,
                degrees=strength * turn * self.degrees,
                scale=1 + strength * zoom * self.scale,
                shift=(
                    strength * right * self.shift * size[1],
                    strength * down * self.shift * size[0],
                ),
                flip_horizontal=flip_horizontal,
                flip_vertical=flip_vertical,
            )
            if all(_stays_on_canvas(value, matrix) for value in label.values()):
                break
        return matrix

    def _change_grey_values(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Of an image that nobody else holds: it is written into."""
        size = (int(image.shape[-2]), int(image.shape[-1]))
        gain, gamma = rng.uniform(-1, 1, 2)
        deviation, shade = rng.random(2)
        grey = image.div_(255).clamp_(0, 1)
        if self.gamma:
            grey.pow_(1 + gamma * self.gamma)
        factors = 255 * (1 + gain * self.gain)
        if self.speckle:
            grains = (factors * (1 + deviation * self.speckle * NORMAL)).astype(np.float32)
            grey *= torch.from_numpy(grains.take(rng.integers(0, len(NORMAL), size, np.uint8)))
        else:
            grey *= factors
        if shade < self.shadow:
            grey *= _shadow(size, rng)
        return grey.clamp_(0, 255)


def _stays_on_canvas(value: Any, matrix: np.ndarray) -> bool:
    if isinstance(value, tv_tensors.KeyPoints):
        positions = move(value, matrix).as_subclass(Tensor).reshape(-1, 2) + 0.5
    elif isinstance(value, tv_tensors.BoundingBoxes):
        corners = move(value, matrix).as_subclass(Tensor).reshape(-1, 4)
        positions = (corners[:, :2] + corners[:, 2:]) / 2
    else:
        return True
    h, w = value.canvas_size
    inside = (positions >= 0) & (positions <= torch.tensor([w, h]))
    return bool(inside.all())


def _shadow(size: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """A soft-edged dark band that widens with depth, (h, w), factors between 0.4 and 1."""
    h, w = size
    centre, top = rng.uniform(0, w), rng.uniform(0, 0.6 * h)
    half_width = rng.uniform(0.03, 0.08) * w
    depth = np.arange(h, dtype=np.float32)[:, None]
    across = np.abs(np.arange(w, dtype=np.float32)[None] - centre)
    edge = half_width * (1 + 0.5 * depth / h)
    beside = 1 / (1 + np.exp((edge - across) / (0.02 * w)))
    below = 1 / (1 + np.exp((top - depth) / (0.03 * h)))
    return torch.from_numpy((1 - 0.6 * (1 - beside) * below).astype(np.float32))
