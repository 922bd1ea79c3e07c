"""The task type: labels and results are points in original pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from usmt import (
    Identifier,
    Measurement,
    Size,
    TaskSpec,
    TaskType,
    TaskTypeOptions,
    check_names,
    metrics,
)
from usmt_regression import labels
from usmt_regression.measurements import PointMeasurement

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame

HALVED_AT = 0.05
"""Error, as a share of the image's diagonal, at which the selection score is one half."""


class RegressionSpec(TaskSpec):
    """`points`: P >= 1 different names, in the order of the label. `measurements`: by name, what
    is measured between points."""

    points: list[str] = Field(min_length=1)
    measurements: dict[Identifier, PointMeasurement] = Field(default={})

    @field_validator("points")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("two points have one name")
        return names

    @field_validator("measurements")
    @classmethod
    def _of_known_points(
        cls, declared: dict[str, PointMeasurement], info: ValidationInfo
    ) -> dict[str, PointMeasurement]:
        if points := info.data.get("points"):
            named = [
                ((name, "points", position), point)
                for name, each in declared.items()
                for position, point in enumerate(each.points)
            ]
            check_names("point", named, points)
        return declared


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
    Result = Landmarks
    Spec = RegressionSpec
    Options = RegressionOptions
    options: RegressionOptions
    primary = "mre"

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        return labels.problems_of(label, spec.points, size)

    def concerns(self, spec: Any, label: Any, size: Size) -> list[str]:
        return labels.concerns_of(np.asarray(label, dtype=np.float64), spec.points)

    def label_numbers(self, spec: Any, label: Any, size: Size) -> dict[str, float]:
        """Where each point lies, as shares of the image's width and height."""
        return labels.numbers_of(np.asarray(label, dtype=np.float64), spec.points, size)

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

    def decode_views(self, spec: Any, views: Sequence[tuple[Any, Frame]]) -> Landmarks:
        """The mean place of each point."""
        seen = [self.decode(spec, *view) for view in views]
        return Landmarks(np.mean([each.points for each in seen], axis=0), seen[0].size)

    def as_data(self, spec: Any, result: Any) -> dict[str, Any]:
        return {"points": dict(zip(spec.points, result.points.tolist(), strict=True))}

    def measure(
        self, spec: Any, result: Any, pixel_size: tuple[float, float]
    ) -> dict[str, Measurement]:
        places = dict(zip(spec.points, result.points * pixel_size, strict=True))
        return {name: each.measure(places) for name, each in spec.measurements.items()}

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
    return metrics.mean_radial_error(result.points, np.asarray(label))


def normalised_error(result: Landmarks, label: Any) -> float:
    """The radial error as a share of the image's diagonal."""
    return radial_error(result, label) / float(np.hypot(*result.size))
