"""DSC and HD as the FMC_UIA challenge defines them, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torchmetrics import Metric

from usmt import ImageMetric, metrics


@dataclass(frozen=True, slots=True)
class OverClasses:
    """Mean of a measure of two masks over classes. A callable object, so that it can be pickled.

    Attributes:
        measure: `metrics.dice` or `metrics.hausdorff`.
        classes: class numbers.
    """

    measure: Any
    classes: tuple[int, ...]

    def __call__(self, result: Any, label: Any) -> float:
        values = [self.measure(result.mask == k, np.asarray(label) == k) for k in self.classes]
        return float(np.mean(values))


def make_metrics(classes: list[str]) -> dict[str, Metric]:
    """Fresh metrics; with several foreground classes, also the DSC of each."""
    foreground = tuple(range(1, len(classes)))
    scores: dict[str, Metric] = {
        "dsc": ImageMetric(OverClasses(metrics.dice, foreground), higher_is_better=True),
        "hd": ImageMetric(OverClasses(metrics.hausdorff, foreground), higher_is_better=False),
    }
    if len(foreground) > 1:
        for k in foreground:
            one = OverClasses(metrics.dice, (k,))
            scores[f"dsc_{classes[k]}"] = ImageMetric(one, higher_is_better=True)
    return scores
