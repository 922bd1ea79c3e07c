"""One geometry for image, mask, boxes and landmarks, and the exact way back.

Positions in a `Frame` are measured from the image's top left *corner*, so that the centre of
pixel i lies at i + 0.5. Boxes (`BoundingBoxes`, edges of pixels) are in these coordinates already;
landmarks (`KeyPoints`, whose integers are centres of pixels) are half a pixel away. torchvision's
own kernels mix the two conventions (its flip maps x to W - 1 - x, its resize x to s x), hence
these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as TF

Size = tuple[int, int]

OUTSIDE = 255
"""The value of a mask where the moved image has no pixels; losses leave it out."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """How one image's original pixels and the network's pixels map to each other.

    Attributes:
        original: (H, W) of the image as read.
        network: (h, w) of what the network sees.
        matrix: (3, 3) float64, original -> network positions, from corners (see the module).
    """

    original: Size
    network: Size
    matrix: np.ndarray

    @classmethod
    def fit(cls, original: Size, network: Size) -> Frame:
        """Scaled to fit, aspect ratio kept, centred."""
        (H, W), (h, w) = original, network
        height, width = fitted_size(original, network)
        top, left = (h - height) // 2, (w - width) // 2
        matrix = np.array([[width / W, 0, left], [0, height / H, top], [0, 0, 1]], np.float64)
        return cls(original, network, matrix)

    def then(self, move: np.ndarray) -> Frame:
        """This frame followed by a move (3, 3) within the network's canvas."""
        return Frame(self.original, self.network, move @ self.matrix)

    def to_network(self, positions: np.ndarray) -> np.ndarray:
        """(..., 2) positions in the original -> in the network's canvas."""
        return apply(self.matrix, positions)

    def to_original(self, positions: np.ndarray) -> np.ndarray:
        """(..., 2) positions in the network's canvas -> in the original."""
        return apply(np.linalg.inv(self.matrix), positions)

    def restore(self, maps: Tensor) -> Tensor:
        """Feature or logit maps over the network's canvas (C, h', w'), of any resolution, sampled
        bilinearly at the centre of every original pixel: (C, H, W)."""
        (H, W), (h, w) = self.original, self.network
        grid = _sampling_grid(self.matrix, (H, W), (h, w)).to(maps.device)
        return F.grid_sample(
            maps[None].float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )[0]


def fitted_size(original: Size, network: Size) -> Size:
    """(h, w) of an image scaled to fit into the network's canvas, aspect ratio kept."""
    (H, W), (h, w) = original, network
    scale = min(h / H, w / W)
    return max(1, min(h, round(H * scale))), max(1, min(w, round(W * scale)))


def apply(matrix: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """An affine (3, 3) on positions (..., 2)."""
    positions = np.asarray(positions, np.float64)
    return positions @ matrix[:2, :2].T + matrix[:2, 2]


def affine(
    size: Size,
    *,
    degrees: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flip_horizontal: bool = False,
    flip_vertical: bool = False,
) -> np.ndarray:
    """A move (3, 3) about the canvas' centre: flip, then scale and rotate, then shift (x, y) in
    pixels. Positive degrees turn clockwise, as seen (y points down)."""
    h, w = size
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    flip = np.diag([-1.0 if flip_horizontal else 1.0, -1.0 if flip_vertical else 1.0])
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ flip
    centre = np.array([w / 2, h / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ centre + np.asarray(shift)
    return matrix


# -- fit: original -> network canvas, antialiased


@singledispatch
def fit(value: Any, frame: Frame) -> Any:
    """A value at original size, moved by `Frame.fit`. Values without geometry stay as they are."""
    return value


@fit.register
def _(image: tv_tensors.Image, frame: Frame) -> tv_tensors.Image:
    height, width = fitted_size(frame.original, frame.network)
    small = TF.resize(image, [height, width], antialias=True)
    return tv_tensors.Image(TF.pad(small, _padding(frame), fill=0))


@fit.register
def _(mask: tv_tensors.Mask, frame: Frame) -> tv_tensors.Mask:
    height, width = fitted_size(frame.original, frame.network)
    small = TF.resize(mask, [height, width], interpolation=TF.InterpolationMode.NEAREST_EXACT)
    return tv_tensors.Mask(TF.pad(small, _padding(frame), fill=OUTSIDE))


@fit.register
def _(points: tv_tensors.KeyPoints, frame: Frame) -> tv_tensors.KeyPoints:
    return _move_points(points, frame.matrix, frame.network)


@fit.register
def _(boxes: tv_tensors.BoundingBoxes, frame: Frame) -> tv_tensors.BoundingBoxes:
    return _move_boxes(boxes, frame.matrix, frame.network)


# -- move: within the network's canvas


@singledispatch
def move(value: Any, matrix: np.ndarray) -> Any:
    """A value on the network's canvas, moved by an affine (3, 3). Values without geometry stay."""
    return value


@move.register
def _(image: tv_tensors.Image, matrix: np.ndarray) -> tv_tensors.Image:
    return tv_tensors.Image(_warp(image.as_subclass(Tensor).float(), matrix, "bilinear", 0))


@move.register
def _(mask: tv_tensors.Mask, matrix: np.ndarray) -> tv_tensors.Mask:
    plain = mask.as_subclass(Tensor)
    moved = _warp(plain.float().reshape(-1, *plain.shape[-2:]), matrix, "nearest", OUTSIDE)
    return tv_tensors.Mask(moved.reshape(plain.shape).to(plain.dtype))


@move.register
def _(points: tv_tensors.KeyPoints, matrix: np.ndarray) -> tv_tensors.KeyPoints:
    return _move_points(points, matrix, points.canvas_size)


@move.register
def _(boxes: tv_tensors.BoundingBoxes, matrix: np.ndarray) -> tv_tensors.BoundingBoxes:
    return _move_boxes(boxes, matrix, boxes.canvas_size)


# -- kernels


def _padding(frame: Frame) -> list[int]:
    (h, w), (height, width) = frame.network, fitted_size(frame.original, frame.network)
    top, left = (h - height) // 2, (w - width) // 2
    return [left, top, w - width - left, h - height - top]


def _sampling_grid(matrix: np.ndarray, out: Size, source: Size) -> Tensor:
    """grid_sample's grid (1, H, W, 2): where each output pixel's centre lies in the source, the
    matrix leading from output to source positions."""
    (H, W), (h, w) = out, source
    to_unit = np.array([[2 / w, 0, -1], [0, 2 / h, -1], [0, 0, 1]])
    # An affine map of a grid is what a column gives plus what a row gives: far less to compute
    # than a product for every pixel.
    x, y, one = (to_unit @ matrix)[:2].T
    columns = np.outer(x, np.arange(W) + 0.5).astype(np.float32)
    rows = (np.outer(y, np.arange(H) + 0.5) + one[:, None]).astype(np.float32)
    grid = torch.empty(1, H, W, 2)
    for axis in range(2):
        row = torch.from_numpy(rows[axis])[:, None]
        torch.add(row, torch.from_numpy(columns[axis]), out=grid[0, :, :, axis])
    return grid


def _warp(maps: Tensor, matrix: np.ndarray, mode: str, fill: float) -> Tensor:
    """Float maps (C, h, w), moved; always new memory."""
    size = (int(maps.shape[-2]), int(maps.shape[-1]))
    grid = _sampling_grid(np.linalg.inv(matrix), size, size)
    # grid_sample pads with zeros only: shift the values so that zero means the fill.
    shifted = maps - fill if fill else maps
    moved = F.grid_sample(
        shifted[None], grid, mode=mode, padding_mode="zeros", align_corners=False
    )[0]
    return moved + fill if fill else moved


def _move_points(
    points: tv_tensors.KeyPoints, matrix: np.ndarray, canvas: Size
) -> tv_tensors.KeyPoints:
    positions = points.as_subclass(Tensor).double().numpy() + 0.5
    moved = apply(matrix, positions) - 0.5
    return tv_tensors.KeyPoints(torch.from_numpy(moved).float(), canvas_size=canvas)


def _move_boxes(
    boxes: tv_tensors.BoundingBoxes, matrix: np.ndarray, canvas: Size
) -> tv_tensors.BoundingBoxes:
    """The upright box around the moved corners."""
    x0, y0, x1, y1 = boxes.as_subclass(Tensor).double().numpy().reshape(-1, 4).T
    corners = np.stack(
        [np.stack([x0, x1, x1, x0], axis=1), np.stack([y0, y0, y1, y1], axis=1)], axis=-1
    )
    moved = apply(matrix, corners)
    hull = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    return tv_tensors.BoundingBoxes(
        torch.from_numpy(hull).float().reshape(boxes.shape),
        format=tv_tensors.BoundingBoxFormat.XYXY,
        canvas_size=canvas,
    )
