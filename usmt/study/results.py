"""What a study measured: every score of every run, before any statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from usmt.evaluate.rows import Pool


@dataclass(frozen=True, slots=True)
class Arm:
    """One training set-up that is compared.

    Attributes:
        name: `ts`, `cg`, `au`, or a group's id; with `-moe` or `-dense` where a study has both.
        paradigm: `ts`, `cg`, `au` or a group's id.
        moe: whether networks of several tasks have a mixture of experts.
    """

    name: str
    paradigm: str
    moe: bool

    @property
    def label(self) -> str:
        """As people read it: `TS`, `CG`, `AU` or the group's id, with `-MoE` or `-dense` where a
        study has both."""
        label = self.paradigm.upper() if self.paradigm in ("ts", "cg", "au") else self.paradigm
        if self.name == self.paradigm:
            return label
        return f"{label}-MoE" if self.moe else f"{label}-dense"


@dataclass(frozen=True, slots=True)
class StudyTask:
    """A task that is compared.

    Attributes:
        group: the clinical group that it is compared in; empty for a task without one.
        primary: the metric that stands for it.
        training_images: by fraction of the training data.
        test_images, test_sources: images and patients (or videos) that it is scored on.
        trivial: score of the predictor that never looks at the image, by metric.
        published: published scores by arm and metric, e.g. {"ts": {"mre": 30.4}}.
    """

    id: str
    title: str
    type: str
    group: str
    primary: str
    training_images: Mapping[float, int]
    test_images: int
    test_sources: int
    trivial: Mapping[str, float] = field(default_factory=dict)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class MetricScores:
    """One metric of one task at one fraction of the training data, by every arm that has it.

    Attributes:
        sources: (N,) the source of each test image: a patient or video.
        rows: by (arm, seed), (N, V): what the metric needs of each image; the same images in the
            same order for all. Arms whose runs failed are not there.
        pool: the metric over rows.
    """

    task: str
    metric: str
    higher_is_better: bool
    fraction: float
    sources: np.ndarray
    rows: Mapping[tuple[str, int], np.ndarray]
    pool: Pool

    @property
    def sign(self) -> int:
        """1 if more is better, else -1."""
        return 1 if self.higher_is_better else -1

    def seeds(self, arm: str) -> list[int]:
        """The seeds that an arm has scores of, in their order."""
        return sorted(seed for name, seed in self.rows if name == arm)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What became of one training run.

    Attributes:
        unit: the network that it trains, e.g. `cg-breast`.
        arms: the arms that it serves.
        factor: of the learning rates; None where it was not chosen.
        chosen: whether it stands for its arms; the others only served the search.
        state: `finished`, `failed`, `pruned`, or `missing`.
        seconds: of wall time in its process; None where it is not known.
        selection: best selection score on validation, in [0, 1].
        failure: why it failed; empty for one that did not.
    """

    id: str
    unit: str
    arms: Sequence[str]
    tasks: Sequence[str]
    moe: bool
    seed: int
    fraction: float
    factor: float | None
    chosen: bool
    state: Literal["finished", "failed", "pruned", "missing"]
    epochs: int | None = None
    steps: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    selection: float | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class StudyResults:
    """All that a study measured.

    Attributes:
        reference: name of the arm that all others are compared with: task-specific training.
        groups: titles by id, of the groups that are compared.
        published_means: published mean changes by group and arm, e.g. {"ob": {"cg": 2.93}}.
        scores: one entry for each task, metric and fraction.
        settings: the study as it was asked for, all defaults filled in.
        data: by dataset: fingerprint and numbers of the frozen split.
        confidence: of intervals, e.g. 0.95.
        margin: relative change that is too small to matter, e.g. 0.05.
        resamples: of the bootstrap.
    """

    title: str
    arms: Sequence[Arm]
    reference: str
    tasks: Sequence[StudyTask]
    groups: Mapping[str, str]
    published_means: Mapping[str, Mapping[str, float]]
    seeds: Sequence[int]
    fractions: Sequence[float]
    scores: Sequence[MetricScores]
    runs: Sequence[RunRecord]
    settings: Mapping[str, Any]
    data: Mapping[str, Mapping[str, Any]]
    synthetic: bool
    confidence: float = 0.95
    margin: float = 0.05
    resamples: int = 2000

    def label(self, arm: str) -> str:
        """An arm's name as people read it."""
        return next((each.label for each in self.arms if each.name == arm), arm)
