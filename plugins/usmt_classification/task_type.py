"""The task type: labels are class numbers, results are class probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from usmt import Fault, Size, TaskSpec, TaskType

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame


class ClassificationSpec(TaskSpec):
    """`classes`: K >= 2 different names; a label is a position in them."""

    classes: list[str] = Field(min_length=2)

    @field_validator("classes")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("two classes have one name")
        return names


@dataclass(frozen=True, slots=True)
class Classification:
    """One image's result.

    Attributes:
        probabilities: float64 (K,), summing to 1.
    """

    probabilities: np.ndarray


class ClassificationTaskType(TaskType):
    """Global average pool and one linear layer; cross-entropy (paper, 2.2)."""

    name = "classification"
    Result = Classification
    Spec = ClassificationSpec
    primary = "auc"

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        if isinstance(label, bool) or not isinstance(label, int | np.integer):
            return [Fault(f"the class {label!r} is not a whole number", "not a class")]
        if not 0 <= label < len(spec.classes):
            text = f"the class {label} is not one of 0 to {len(spec.classes) - 1}"
            return [Fault(text, "class out of range")]
        return []

    def classes(self, spec: Any) -> list[str]:
        return list(spec.classes)

    def classes_in(self, spec: Any, label: Any) -> list[str]:
        return [spec.classes[int(label)]]

    def wrap(self, spec: Any, label: Any, size: Size) -> dict[str, Any]:
        return {"class": int(label)}

    def target(self, spec: Any, wrapped: dict[str, Any], size: Size) -> dict[str, Tensor]:
        import torch

        return {"class": torch.tensor(wrapped["class"])}

    def head(self, spec: Any, channels: int) -> nn.Module:
        from usmt_classification.network import make_head

        return make_head(channels, len(spec.classes))

    def loss(self, spec: Any, prediction: Any, target: dict[str, Tensor]) -> Tensor:
        from torch.nn import functional as F

        return F.cross_entropy(prediction.float(), target["class"], reduction="none")

    def decode(self, spec: Any, prediction: Any, frame: Frame) -> Classification:
        return Classification(prediction.detach().double().softmax(-1).cpu().numpy())

    def decode_views(self, spec: Any, views: Sequence[tuple[Any, Frame]]) -> Classification:
        """The mean probability of each class."""
        seen = [self.decode(spec, *view).probabilities for view in views]
        return Classification(np.mean(seen, axis=0))

    def as_data(self, spec: Any, result: Any) -> dict[str, Any]:
        best = int(result.probabilities.argmax())
        return {
            "class": spec.classes[best],
            "index": best,
            "probabilities": dict(zip(spec.classes, result.probabilities.tolist(), strict=True)),
        }

    def metrics(self, spec: Any) -> dict[str, Metric]:
        from usmt_classification.metrics import make_metrics

        return make_metrics()

    def selection_score(self, spec: Any, scores: dict[str, float]) -> float:
        return scores["auc"] if math.isfinite(scores["auc"]) else scores["accuracy"]

    def trivial(
        self, spec: Any, labels: Sequence[tuple[Any, Size]]
    ) -> Callable[[Size], Classification]:
        counts = np.bincount([int(label) for label, _ in labels], minlength=len(spec.classes))
        result = Classification(counts / counts.sum())
        return lambda size: result

    def draw_label(self, spec: Any, image: np.ndarray, label: Any) -> np.ndarray:
        from usmt_classification.drawing import draw_caption

        return draw_caption(image, spec.classes[int(label)])

    def draw_result(self, spec: Any, image: np.ndarray, result: Any) -> np.ndarray:
        from usmt_classification.drawing import draw_caption

        best = int(result.probabilities.argmax())
        return draw_caption(image, f"{spec.classes[best]} {result.probabilities[best]:.2f}")
