"""A small task type that keeps every rule: one spot, found by its place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from usmt import Measurement, TaskSpec, TaskType, TaskTypeOptions


@dataclass(frozen=True, slots=True)
class Place:
    """x and y in original pixels, from the centre of the top left one, and (H, W) of the image."""

    x: float
    y: float
    size: tuple[int, int]


class SpotOptions(TaskTypeOptions):
    radius: int = 2


class Spot(TaskType):
    name = "spot"
    Result = Place
    Options = SpotOptions
    primary = "distance"

    def problems(self, spec: TaskSpec, label: Any, size: Any) -> list[str]:
        try:
            x, y = (float(each) for each in label)
        except (TypeError, ValueError):
            return ["the spot is not two numbers"]
        on_image = -0.5 <= x <= size[1] - 0.5 and -0.5 <= y <= size[0] - 0.5
        return [] if on_image or size == (1, 1) else ["the spot is outside the image"]

    def wrap(self, spec: TaskSpec, label: Any, size: Any) -> dict[str, Any]:
        import torch
        from torchvision.tv_tensors import KeyPoints

        return {"spot": KeyPoints(torch.tensor([label], dtype=torch.float32), canvas_size=size)}

    def target(self, spec: TaskSpec, wrapped: dict[str, Any], size: Any) -> dict[str, Any]:
        import torch

        place = wrapped["spot"].as_subclass(torch.Tensor)[0] + 0.5
        return {"spot": place / torch.tensor([size[1], size[0]])}

    def head(self, spec: TaskSpec, channels: int) -> Any:
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))

    def loss(self, spec: TaskSpec, prediction: Any, target: dict[str, Any]) -> Any:
        return (prediction - target["spot"]).abs().mean(dim=1)

    def decode(self, spec: TaskSpec, prediction: Any, frame: Any) -> Place:
        shares = prediction.double().numpy()
        x, y = frame.to_original(shares * (frame.network[1], frame.network[0])) - 0.5
        return Place(float(x), float(y), frame.original)

    def decode_views(self, spec: TaskSpec, views: Any) -> Place:
        seen = [self.decode(spec, *view) for view in views]
        return Place(
            float(np.mean([each.x for each in seen])),
            float(np.mean([each.y for each in seen])),
            seen[0].size,
        )

    def metrics(self, spec: TaskSpec) -> dict[str, Any]:
        from spot_metrics import distance

        from usmt import ImageMetric

        return {"distance": ImageMetric(distance, higher_is_better=False)}

    def selection_score(self, spec: TaskSpec, scores: dict[str, float]) -> float:
        return 1 / (1 + scores["distance"])

    def trivial(self, spec: TaskSpec, labels: Any) -> Any:
        x, y = np.mean([label for label, _ in labels], axis=0)
        return lambda size: Place(float(x), float(y), size)

    def measure(self, spec: TaskSpec, result: Place, pixel_size: Any) -> dict[str, Measurement]:
        return {}

    def draw_label(self, spec: TaskSpec, image: np.ndarray, label: Any) -> np.ndarray:
        return self._drawn(image, *label)

    def draw_result(self, spec: TaskSpec, image: np.ndarray, result: Place) -> np.ndarray:
        return self._drawn(image, result.x, result.y)

    def _drawn(self, image: np.ndarray, x: float, y: float) -> np.ndarray:
        picture, radius = image.copy(), self.options.radius
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        picture[np.hypot(columns - x, rows - y) <= radius] = (0, 255, 0)
        return picture


def wrong_place(label: Any, size: tuple[int, int]) -> Place:
    return Place(label[0] + 30.0, label[1] + 40.0, size)


LABELS = [((3.0, 4.0), (24, 32)), ((20.0, 11.5), (24, 32)), ((9.0, 30.0), (40, 30))]
BAD_LABELS = [((3.0, 40.0), (24, 32)), ((math.nan, 1.0), (24, 32)), ("here", (24, 32))]
