"""What is found of one task: two sets of figures, and why they differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from usmt_fmc_uia.scoring.challenge_task import OFFICIAL_NAMES, ChallengeTask

Figures = dict[str, Any]
"""Figures by the published scorer's own names, `num_samples` and `per_class` among them."""

HEADLINES = {
    "segmentation": ("DSC", "HD"),
    "classification": ("AUC", "Accuracy", "F1_macro", "F1_weighted", "MCC"),
    "detection": ("IoU",),
    "regression": ("MRE",),
}
"""The figures of each type that are averaged over tasks."""

SAMPLES = "num_samples"

CRASHES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What the published scorer dies of, given predictions or labels that are not as it expects."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why official and strict figures may differ.

    Attributes:
        metrics: those that it bears on, by the names of `figure`; none: it changes no figure.
    """

    text: str
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """What can be said of one image's prediction or label.

    Attributes:
        one, many: of one image, and of several.
        meaning: what the official scorer does then, and what is done here.
        metrics: as those of a `Reason`.
    """

    one: str
    many: str
    meaning: str
    metrics: tuple[str, ...] = ()

    def reason(self, count: int) -> Reason:
        """Of all images together."""
        phrase = self.one if count == 1 else self.many
        return Reason(f"{count} {phrase}: {self.meaning}", self.metrics)


def again_remark(kind: str) -> Remark:
    """Of an image that is there twice."""
    return Remark(
        "row names an image that another one named",
        "rows name images that others named",
        "the official scorer counts each row; strict: each image counts once",
        (*HEADLINES[kind], SAMPLES),
    )


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One image's value of one metric; None where it is not counted."""

    image_path: str
    metric: str
    official: float | None
    strict: float | None
    remark: str = ""


@dataclass(slots=True)
class TaskScore:
    """The scores of one task.

    Attributes:
        official: None if the published scorer gives none; then `reasons` says why.
    """

    task: ChallengeTask
    official: Figures | None
    strict: Figures
    reasons: list[Reason] = field(default_factory=list)
    images: list[ImageScore] = field(default_factory=list)


def figure(figures: Figures | None, metric: str) -> float | None:
    """One figure by its name, `AUC`, or `class_1 F1` for one of a class; None if it is not there
    or not defined."""
    if figures is None:
        return None
    group, _, name = metric.rpartition(" ")
    value = figures["per_class"].get(group, {}).get(name) if group else figures[name]
    return None if value is None or math.isnan(value) else float(value)


def official_figures(
    task: ChallengeTask, failure: str | None, compute: Callable[[], Figures]
) -> tuple[Figures | None, list[Reason]]:
    """What the published scorer gives of a task, or why it gives nothing.

    Args:
        failure: why it gives nothing of the whole type, if that is so.
        compute: as it does; may die of whatever it dies of.
    """
    if task.name != OFFICIAL_NAMES[task.kind]:
        failure = f"the official scorer passes over task_name '{task.name}'"
        failure += f", it knows '{OFFICIAL_NAMES[task.kind]}'"
    if failure is None:
        try:
            return compute(), []
        except CRASHES as error:
            failure = f"the official scorer stops with {type(error).__name__}: {error}"
    return None, [Reason(failure)]
