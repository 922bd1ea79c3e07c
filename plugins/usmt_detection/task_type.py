"""The task type: labels and results are boxes in original pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from usmt import Size, TaskSpec, TaskType

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame

TOLERANCE = 1.0
"""Pixels that a box may reach over the image's edge: annotation tools round outwards."""


class DetectionSpec(TaskSpec):
    """`target`: what the box is around."""

    target: str = Field(min_length=1)


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
    Spec = DetectionSpec
    primary = "iou"

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        box = np.asarray(label, dtype=np.float64)
        if box.shape != (4,):
            return [f"a box of shape {box.shape}, expected (4,)"]
        if not np.isfinite(box).all():
            return [f"the box {_text(box)} is not finite"]
        x_min, y_min, x_max, y_max = box
        found = []
        if x_max <= x_min or y_max <= y_min:
            found.append(f"the box {_text(box)} is inverted or empty: x_min < x_max, y_min < y_max")
        height, width = size
        low, high = min(x_min, y_min), max(x_max - width, y_max - height)
        if low < -TOLERANCE or high > TOLERANCE:
            found.append(f"the box {_text(box)} is outside the image of {width} x {height} pixels")
        return found

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
        best = max(candidates, key=lambda box: float(overlaps(box, boxes).mean()))
        return lambda size: Detection(best * [size[1], size[0], size[1], size[0]], 0.5)

    def draw_label(self, spec: Any, image: np.ndarray, label: Any) -> np.ndarray:
        from usmt_detection.drawing import draw_box

        return draw_box(image, np.asarray(label), "")

    def draw_result(self, spec: Any, image: np.ndarray, result: Any) -> np.ndarray:
        from usmt_detection.drawing import draw_box

        return draw_box(image, result.box, f"{result.score:.2f}")


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with each of (n, 4); 0 where both are empty."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    union = areas + np.prod(np.clip(box[2:] - box[:2], 0, None)) - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def box_overlap(result: Detection, label: Any) -> float:
    """Intersection over union of result and label."""
    return float(overlaps(result.box, np.asarray(label, dtype=np.float64)[None])[0])


def is_hit(result: Detection, label: Any) -> float:
    """1 if the overlap is one half or more."""
    return float(box_overlap(result, label) >= 0.5)


def _text(box: np.ndarray) -> str:
    return f"({', '.join(f'{value:g}' for value in box)})"
