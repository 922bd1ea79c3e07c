"""The task type: labels and results are points in original pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from usmt import Size, TaskSpec, TaskType, TaskTypeOptions

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame

HALVED_AT = 0.05
"""Error, as a share of the image's diagonal, at which the selection score is one half."""


class RegressionSpec(TaskSpec):
    """`points`: P >= 1 different names, in the order of the label."""

    points: list[str] = Field(min_length=1)

    @field_validator("points")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("two points have one name")
        return names


class RegressionOptions(TaskTypeOptions):
    """`grid`: the head pools the map to grid x grid cells (not published). 1 is the global average,
    in which a backbone that knows places only relative to each other (rotary embeddings) leaves
    nothing of where something is."""

    grid: int = Field(default=4, ge=1, le=16)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One image's result.

    Attributes:
        points: float64 (P, 2), x and y in original pixels, (0, 0) being the centre of the top
            left pixel.
        size: (H, W) of the image.
    """

    points: np.ndarray
    size: Size


class RegressionTaskType(TaskType):
    """Average pool and one linear layer; L1 on normalised coordinates (paper, 2.2).

    A prediction is (n, P, 2), x and y as shares of the network's canvas, from its top left corner.
    """

    name = "regression"
    Spec = RegressionSpec
    Options = RegressionOptions
    options: RegressionOptions
    primary = "mre"

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        points = np.asarray(label, dtype=np.float64)
        if points.shape != (len(spec.points), 2):
            return [f"points of shape {points.shape}, expected ({len(spec.points)}, 2)"]
        found = []
        height, width = size
        for name, (x, y) in zip(spec.points, points, strict=True):
            if not np.isfinite([x, y]).all():
                found.append(f"the point {name} is not finite: ({x:g}, {y:g})")
            elif not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                found.append(
                    f"the point {name} at ({x:g}, {y:g}) is outside the image of "
                    f"{width} x {height} pixels"
                )
        return found

    def wrap(self, spec: Any, label: Any, size: Size) -> dict[str, Any]:
        import torch
        from torchvision.tv_tensors import KeyPoints

        points = torch.as_tensor(np.asarray(label, dtype=np.float32))
        return {"points": KeyPoints(points, canvas_size=size)}

    def target(self, spec: Any, wrapped: dict[str, Any], size: Size) -> dict[str, Tensor]:
        import torch

        positions = wrapped["points"].as_subclass(torch.Tensor) + 0.5
        return {"points": positions / torch.tensor([size[1], size[0]])}

    def head(self, spec: Any, channels: int) -> nn.Module:
        from usmt_regression.network import PooledPoints

        return PooledPoints(channels, len(spec.points), self.options.grid)

    def loss(self, spec: Any, prediction: Any, target: dict[str, Tensor]) -> Tensor:
        return (prediction.float() - target["points"]).abs().mean(dim=(1, 2))

    def decode(self, spec: Any, prediction: Any, frame: Frame) -> Landmarks:
        shares = prediction.detach().double().cpu().numpy()
        height, width = frame.network
        positions = frame.to_original(shares * np.array([width, height]))
        return Landmarks(positions - 0.5, frame.original)

    def metrics(self, spec: Any) -> dict[str, Metric]:
        from usmt import ImageMetric

        return {
            "mre": ImageMetric(radial_error, higher_is_better=False),
            "nme": ImageMetric(normalised_error, higher_is_better=False),
        }

    def selection_score(self, spec: Any, scores: dict[str, float]) -> float:
        return 1 / (1 + scores["nme"] / HALVED_AT)

    def trivial(self, spec: Any, labels: Sequence[tuple[Any, Size]]) -> Callable[[Size], Landmarks]:
        shares = [(np.asarray(points) + 0.5) / (size[1], size[0]) for points, size in labels]
        mean = np.mean(shares, axis=0)
        return lambda size: Landmarks(mean * (size[1], size[0]) - 0.5, size)

    def draw_label(self, spec: Any, image: np.ndarray, label: Any) -> np.ndarray:
        from usmt_regression.drawing import draw_points

        return draw_points(image, np.asarray(label))

    def draw_result(self, spec: Any, image: np.ndarray, result: Any) -> np.ndarray:
        from usmt_regression.drawing import draw_points

        return draw_points(image, result.points)


def radial_error(result: Landmarks, label: Any) -> float:
    """Mean Euclidean distance over the points, in original pixels."""
    return float(np.linalg.norm(result.points - np.asarray(label), axis=-1).mean())


def normalised_error(result: Landmarks, label: Any) -> float:
    """The radial error as a share of the image's diagonal."""
    return radial_error(result, label) / float(np.hypot(*result.size))
