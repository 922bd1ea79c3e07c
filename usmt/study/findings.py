"""What follows from a study's scores: differences between arms, and how certain they are.

Signs: `difference` is in the metric's own unit and direction, arm minus reference. Everything else
is turned so that more is better. NaN stands for what cannot be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from usmt.study.results import StudyResults

Verdict = Literal["gain", "harm", "neutral", "undecided"]
Advice = Literal["alone", "group", "all", "either", "undecided"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ArmScore:
    """What an arm reached on a task: the mean over seeds, and each seed's score."""

    task: str
    metric: str
    arm: str
    fraction: float
    score: Interval
    by_seed: Sequence[float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against another on one task, paired over the same test images.

    Attributes:
        relative: signed change as a share of the reference's score.
        effect: change over the standard deviation of the change from source to source.
        p: two-sided, of no difference; p_holm: corrected over all tasks and arms of this fraction.
        verdict: `neutral` where the change is certainly smaller than the margin, `undecided`
            where the data can tell neither.
        seeds: numbers of seeds of the arm and of the reference.
        remark: on a neutral verdict: that both are one network, or that the change is certain
            although it is small; else empty.
    """

    task: str
    metric: str
    arm: str
    reference: str
    fraction: float
    difference: Interval
    relative: Interval
    effect: Interval
    p: float
    p_holm: float
    verdict: Verdict
    images: int
    sources: int
    seeds: tuple[int, int]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class MeanChange:
    """The mean change of several tasks: of a group, of a task type, of a size of training data.

    Attributes:
        kind: `group`, `task type`, `training images`, or `all`; `mixture of experts` for a paradigm
            with it against the same without, `grouping x experts` for how much more the paradigm
            gains, against training each task alone, with experts than without.
        name: of the group, type, range or paradigm.
        tasks: those whose change is known. `effect_tasks` and `relative_tasks` are the ones among
            them that have an effect or a relative change.
        paper: mean of raw differences over the task types' means, MRE-like signs turned, as the
            paper's Table 2; for groups only, else NaN. It mixes units.
        effect: mean of the tasks' standardised effects, which may be averaged.
        relative: mean of the tasks' relative changes.
    """

    kind: str
    name: str
    arm: str
    reference: str
    fraction: float
    tasks: Sequence[str]
    paper: float
    effect: Interval
    relative: Interval
    effect_tasks: Sequence[str]
    relative_tasks: Sequence[str]


@dataclass(frozen=True, slots=True)
class Turn:
    """How an arm's effect on a task changes with the training data.

    Attributes:
        slope: change of `effect` for each doubling of the training images.
        turns_at: training images at which the effect goes from harm to gain (or back), by straight
            lines over the logarithm of the images; None where it does not change its sign.
    """

    task: str
    arm: str
    slope: Interval
    turns_at: float | None
    direction: Literal["harm to gain", "gain to harm", "none"]

    @property
    def certain(self) -> bool:
        """Whether the effect certainly changes with the data: a turn without that is chance."""
        return self.slope.low > 0 or self.slope.high < 0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How to train a task, by these data.

    Attributes:
        advice: by the paradigm of the arm; `either` where other arms change too little to matter,
            and none gains.
        arm: the arm that is recommended; empty for `either` and `undecided`.
        reason: one sentence with the numbers.
    """

    task: str
    advice: Advice
    arm: str
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a report says, in numbers.

    Attributes:
        scores: absolute scores, all metrics (the paper's Fig. 2).
        comparisons: each arm against the reference, primary metric (Fig. 3, and the matrix of
            negative transfer); with `moe: both` the reference has no mixture of experts.
        secondary: the same for the other metrics, for tables; their p_holm is over themselves.
        moe: each paradigm with a mixture of experts against the same without, where both ran.
        means: by group (Table 2), task type and size of training data, and over all tasks; of the
            mixture of experts over all tasks.
        turns: by task and arm, where the study has several fractions.
        recommendations: one a task, from the largest fraction.
        answer: the study's answer in three sentences, with its uncertainty.
        cautions: what weakens the answer: one seed, few sources, failed runs, synthetic images.
    """

    results: StudyResults
    scores: Sequence[ArmScore]
    comparisons: Sequence[Comparison]
    secondary: Sequence[Comparison]
    moe: Sequence[Comparison]
    means: Sequence[MeanChange]
    turns: Sequence[Turn]
    recommendations: Sequence[Recommendation]
    answer: Sequence[str]
    cautions: Sequence[str]
