"""The task type `findings`: labels are sets of names, results a probability for each name."""

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

SHOWN = 0.5
"""The probability from which on a finding is said to be there."""


class FindingsSpec(TaskSpec):
    """`findings`: F different names; a label is a set of some of them, of none, or of all."""

    findings: list[str] = Field(min_length=1)

    @field_validator("findings")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("two findings have one name")
        return names


@dataclass(frozen=True, slots=True)
class Findings:
    """One image's result.

    Attributes:
        names: of the F findings.
        probabilities: float64 (F,), each in [0, 1]; they need not sum to 1.
    """

    names: tuple[str, ...]
    probabilities: np.ndarray

    @property
    def shown(self) -> frozenset[str]:
        """The findings that are said to be there."""
        found = zip(self.names, self.probabilities, strict=True)
        return frozenset(name for name, probability in found if probability >= SHOWN)


class FindingsTaskType(TaskType):
    """Global average pool and one logistic output a finding; binary cross-entropy.

    A label is a `frozenset` of names, a prediction logits (n, F).
    """

    name = "findings"
    Result = Findings
    Spec = FindingsSpec
    primary = "auc"

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        if not isinstance(label, frozenset) or not all(isinstance(name, str) for name in label):
            return [Fault(f"a frozenset of findings was expected, not {label!r}", "not findings")]
        return [
            Fault(f"'{name}' is none of {', '.join(spec.findings)}", "unknown finding")
            for name in sorted(label.difference(spec.findings))
        ]

    def classes(self, spec: Any) -> list[str]:
        return list(spec.findings)

    def classes_in(self, spec: Any, label: Any) -> list[str]:
        return [name for name in spec.findings if name in label]

    # Findings stay where the image is moved: there is no geometry.

    def wrap(self, spec: Any, label: Any, size: Size) -> dict[str, Any]:
        return {"shown": [name in label for name in spec.findings]}

    def target(self, spec: Any, wrapped: dict[str, Any], size: Size) -> dict[str, Tensor]:
        import torch

        return {"shown": torch.tensor(wrapped["shown"], dtype=torch.float32)}

    def head(self, spec: Any, channels: int) -> nn.Module:
        """(n, C, h, w) -> logits (n, F). Starts small: every finding is about even."""
        from torch import nn

        linear = nn.Linear(channels, len(spec.findings))
        nn.init.normal_(linear.weight, std=0.05)
        nn.init.zeros_(linear.bias)
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)

    def loss(self, spec: Any, prediction: Any, target: dict[str, Tensor]) -> Tensor:
        """The mean over the findings: a task with more of them does not weigh more."""
        from torch.nn import functional as F

        each = F.binary_cross_entropy_with_logits(
            prediction.float(), target["shown"], reduction="none"
        )
        return each.mean(dim=1)

    def decode(self, spec: Any, prediction: Any, frame: Frame) -> Findings:
        probabilities = prediction.detach().double().sigmoid().cpu().numpy()
        return Findings(tuple(spec.findings), probabilities)

    def decode_views(self, spec: Any, views: Sequence[tuple[Any, Frame]]) -> Findings:
        """The mean probability of each finding."""
        seen = [self.decode(spec, *view).probabilities for view in views]
        return Findings(tuple(spec.findings), np.mean(seen, axis=0))

    def as_data(self, spec: Any, result: Any) -> dict[str, Any]:
        return {
            "findings": [name for name in spec.findings if name in result.shown],
            "probabilities": dict(zip(spec.findings, result.probabilities.tolist(), strict=True)),
        }

    def metrics(self, spec: Any) -> dict[str, Metric]:
        from usmt_findings.metrics import make_metrics

        return make_metrics(spec.findings)

    def selection_score(self, spec: Any, scores: dict[str, float]) -> float:
        """`auc`; where the labels are too few for it, `exact_match`."""
        chosen = scores["auc"] if math.isfinite(scores["auc"]) else scores["exact_match"]
        return chosen if math.isfinite(chosen) else 0.0

    def trivial(self, spec: Any, labels: Sequence[tuple[Any, Size]]) -> Callable[[Size], Findings]:
        """How frequent each finding is."""
        shown = [[name in label for name in spec.findings] for label, _ in labels]
        result = Findings(tuple(spec.findings), np.mean(shown, axis=0, dtype=np.float64))
        return lambda size: result

    def draw_label(self, spec: Any, image: np.ndarray, label: Any) -> np.ndarray:
        from usmt_findings.drawing import draw_findings

        return draw_findings(image, {name: float(name in label) for name in spec.findings})

    def draw_result(self, spec: Any, image: np.ndarray, result: Any) -> np.ndarray:
        from usmt_findings.drawing import draw_findings

        return draw_findings(image, dict(zip(result.names, result.probabilities, strict=True)))
