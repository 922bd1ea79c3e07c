"""The task type: labels and results are boxes in original pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from usmt import Identifier, Measurement, Size, TaskSpec, TaskType, metrics
from usmt_detection import labels
from usmt_detection.measurements import BoxMeasurement

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame

AGREEMENT = 0.5
"""Intersection over union from which two views' boxes are about the same thing."""


class DetectionSpec(TaskSpec):
    """`target`: what the box is around. `measurements`: by name, sides of the box."""

    target: str = Field(min_length=1)
    measurements: dict[Identifier, BoxMeasurement] = Field(default={})


@dataclass(frozen=True, slots=True)
class Detection:
    """One image's result.

    Attributes:
        box: float64 (4,), x_min, y_min, x_max, y_max in original pixels, from the image's corner.
        score: in [0, 1], how sure the network is that the box's centre is where it is.
    """

    box: np.ndarray
    score: float


class DetectionTaskType(TaskType):
    """Single-stage map: focal loss on all cells, Smooth L1 at the truth's centre cell (paper, 2.2).

    A prediction is {"score": logits (n, h, w), "box": (n, 4, h, w)}, boxes as centre x, centre y,
    width, height, shares of the network's canvas.
    """

    name = "detection"
    Result = Detection
    Spec = DetectionSpec
    primary = "iou"

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        return labels.problems_of(label, size)

    def concerns(self, spec: Any, label: Any, size: Size) -> list[str]:
        return labels.concerns_of(np.asarray(label, dtype=np.float64), size)

    def label_numbers(self, spec: Any, label: Any, size: Size) -> dict[str, float]:
        """The box's size and centre, as shares of the image's width, height and area."""
        return labels.numbers_of(np.asarray(label, dtype=np.float64), size)

    def wrap(self, spec: Any, label: Any, size: Size) -> dict[str, Any]:
        import torch
        from torchvision.tv_tensors import BoundingBoxes, BoundingBoxFormat

        box = torch.as_tensor(np.asarray(label, dtype=np.float32))[None]
        return {"box": BoundingBoxes(box, format=BoundingBoxFormat.XYXY, canvas_size=size)}

    def target(self, spec: Any, wrapped: dict[str, Any], size: Size) -> dict[str, Tensor]:
        import torch

        x_min, y_min, x_max, y_max = wrapped["box"].as_subclass(torch.Tensor)[0]
        box = torch.stack([(x_min + x_max) / 2, (y_min + y_max) / 2, x_max - x_min, y_max - y_min])
        return {"box": box / torch.tensor([size[1], size[0], size[1], size[0]])}

    def head(self, spec: Any, channels: int) -> nn.Module:
        from usmt_detection.network import MapHead

        return MapHead(channels)

    def loss(self, spec: Any, prediction: Any, target: dict[str, Tensor]) -> Tensor:
        from usmt_detection.network import map_loss

        return map_loss(prediction["score"].float(), prediction["box"].float(), target["box"])

    def decode(self, spec: Any, prediction: Any, frame: Frame) -> Detection:
        score = prediction["score"].detach().float().cpu().numpy()
        boxes = prediction["box"].detach().double().cpu().numpy()
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        x, y, width, height = boxes[:, row, column]
        h, w = frame.network
        half = np.maximum([width, height], 1e-3) / 2
        corners = np.array([[x, y], [x, y], [x, y], [x, y]]) + half * [
            [-1, -1],
            [1, -1],
            [1, 1],
            [-1, 1],
        ]
        moved = frame.to_original(corners * [w, h])
        H, W = frame.original
        low = np.clip(moved.min(axis=0), 0, [W, H])
        high = np.clip(moved.max(axis=0), 0, [W, H])
        certainty = 1 / (1 + np.exp(-float(score[row, column])))
        return Detection(np.concatenate([low, high]), certainty)

    def decode_views(self, spec: Any, views: Sequence[tuple[Any, Frame]]) -> Detection:
        """Of the boxes that most views agree on (by the sum of their scores), the mean, weighted by
        score. Its score is the mean over all views, in which those that disagree count 0."""
        seen = [self.decode(spec, *view) for view in views]
        boxes = np.array([each.box for each in seen])
        scores = np.array([each.score for each in seen])
        agreeing = np.array([metrics.iou(box, boxes) >= AGREEMENT for box in boxes])
        np.fill_diagonal(agreeing, True)  # an empty box overlaps with nothing
        chosen = agreeing[(agreeing @ scores).argmax()]
        weights = np.maximum(scores[chosen], np.finfo(float).tiny)
        box = weights / weights.sum() @ boxes[chosen]
        return Detection(box, float(scores[chosen].sum() / len(seen)))

    def as_data(self, spec: Any, result: Any) -> dict[str, Any]:
        return {"box": result.box.tolist(), "score": float(result.score), "target": spec.target}

    def measure(
        self, spec: Any, result: Any, pixel_size: tuple[float, float]
    ) -> dict[str, Measurement]:
        box = result.box * [*pixel_size, *pixel_size]
        return {name: each.measure(box) for name, each in spec.measurements.items()}

    def metrics(self, spec: Any) -> dict[str, Metric]:
        from usmt import ImageMetric

        return {
            "iou": ImageMetric(box_overlap, higher_is_better=True),
            "hit50": ImageMetric(is_hit, higher_is_better=True),
        }

    def selection_score(self, spec: Any, scores: dict[str, float]) -> float:
        return scores["iou"]

    def trivial(self, spec: Any, labels: Sequence[tuple[Any, Size]]) -> Callable[[Size], Detection]:
        boxes = np.array(
            [np.asarray(box) / [size[1], size[0], size[1], size[0]] for box, size in labels]
        )
        candidates = [boxes.mean(axis=0), *boxes]
        best = max(candidates, key=lambda box: float(metrics.iou(box, boxes).mean()))
        return lambda size: Detection(best * [size[1], size[0], size[1], size[0]], 0.5)

    def draw_label(self, spec: Any, image: np.ndarray, label: Any) -> np.ndarray:
        from usmt_detection.drawing import draw_box

        return draw_box(image, np.asarray(label), "")

    def draw_result(self, spec: Any, image: np.ndarray, result: Any) -> np.ndarray:
        from usmt_detection.drawing import draw_box

        return draw_box(image, result.box, f"{result.score:.2f}")


def box_overlap(result: Detection, label: Any) -> float:
    """Intersection over union of result and label."""
    return float(metrics.iou(result.box, np.asarray(label, dtype=np.float64)))


def is_hit(result: Detection, label: Any) -> float:
    """1 if the overlap is one half or more."""
    return float(box_overlap(result, label) >= 0.5)
