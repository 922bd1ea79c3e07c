"""An arm against another on one task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from usmt.study.findings import ArmScore, Comparison, Verdict
from usmt.study.results import StudyResults
from usmt.study.statistics.cells import Cell
from usmt.study.statistics.contrast import NAN, NO_CHANGE, Contrast, Terms, contrast
from usmt.study.statistics.holm import holm


@dataclass(frozen=True, eq=False)
class Pair:
    """An arm and its reference on one task; None for one without a score."""

    task: str
    metric: str
    arm: str
    reference: str
    fraction: float
    cells: tuple[Cell | None, Cell | None]

    def terms(self, own: float, reference: float) -> Terms:
        """The arm's score and the reference's, times these; none where one is missing."""
        arm, other = self.cells
        if arm is None or other is None or not math.isfinite(own + reference):
            return ()
        return ((own, arm), (reference, other))

    @property
    def sign(self) -> int:
        known = next((cell for cell in self.cells if cell is not None), None)
        return known.sign if known else 1

    @property
    def same_network(self) -> bool:
        """Whether one network serves both, as where a group has one task."""
        arm, other = self.cells
        if arm is None or other is None:
            return False
        return (arm.network, arm.seeds) == (other.network, other.seeds)

    @property
    def one_seed(self) -> bool:
        """Whether an arm's noise of training is not known: all is about its one network then."""
        return any(c is not None and len(c.seeds) == 1 and c.noise is None for c in self.cells)

    @cached_property
    def difference(self) -> Contrast:
        """In the metric's own unit and direction."""
        return NO_CHANGE if self.same_network else contrast(self.terms(1, -1))

    @property
    def better(self) -> float:
        """The difference, turned so that more is better."""
        return self.sign * self.difference.value

    def relative_terms(self) -> Terms:
        """What the relative change follows when the scores move a little."""
        arm, other = self.cells
        if arm is None or other is None or other.score == 0:
            return ()
        size = abs(other.score)
        return self.terms(self.sign / size, -self.sign * arm.score / (other.score * size))

    @cached_property
    def relative(self) -> Contrast:
        """As a share of the reference's score."""
        if self.same_network:
            return NO_CHANGE
        around = contrast(self.relative_terms())
        other = self.cells[1]
        size = abs(other.score) if other is not None and other.score else NAN
        return replace(around, value=self.better / size)

    @cached_property
    def scale(self) -> float:
        """Standard deviation of the change from source to source; NaN where it has none."""
        arm = self.cells[0]
        variance = self.difference.images[0]
        if arm is None or not variance > 0:
            return NAN
        return math.sqrt(variance * arm.clusters.number)

    def effect_terms(self) -> Terms:
        return self.terms(self.sign / self.scale, -self.sign / self.scale)

    @cached_property
    def effect(self) -> Contrast:
        """In units of `scale`, whose own uncertainty counts."""
        if self.same_network:
            return NO_CHANGE
        effect = contrast(self.effect_terms())
        arm = self.cells[0]
        if arm is None or not math.isfinite(effect.value):
            return effect
        return effect.widened(scale_variance(effect.value, arm.clusters.freedom))


def scale_variance(effect: float, freedom: float) -> float:
    """What not knowing the scale adds to the variance of an effect."""
    return effect**2 / (2 * freedom)


def compare(pairs: Sequence[Pair], results: StudyResults) -> list[Comparison]:
    """The pairs of one family: their p values are corrected together. A pair of one network has
    nothing to test and does not count."""
    p = [pair.difference.p() for pair in pairs]
    adjusted = holm(p)
    return [
        _compared(pair, *((1.0, 1.0) if pair.same_network else (p[i], adjusted[i])), results)
        for i, pair in enumerate(pairs)
    ]


def _compared(pair: Pair, p: float, p_holm: float, results: StudyResults) -> Comparison:
    verdict = _verdict(pair, p_holm, results)
    cells = [cell for cell in pair.cells if cell is not None]
    arm, other = pair.cells
    return Comparison(
        task=pair.task,
        metric=pair.metric,
        arm=pair.arm,
        reference=pair.reference,
        fraction=pair.fraction,
        difference=pair.difference.interval(results.confidence),
        relative=pair.relative.interval(results.confidence),
        effect=pair.effect.interval(results.confidence),
        p=p,
        p_holm=p_holm,
        verdict=verdict,
        images=max((cell.images for cell in cells), default=0),
        sources=max((cell.clusters.number for cell in cells), default=0),
        seeds=(len(arm.seeds) if arm else 0, len(other.seeds) if other else 0),
        remark=_remark(pair, p_holm, results) if verdict == "neutral" else "",
    )


def _verdict(pair: Pair, p_holm: float, results: StudyResults) -> Verdict:
    """Two one-sided tests for too small a change, then one for any."""
    if pair.same_network:
        return "neutral"
    near = pair.relative.interval(2 * results.confidence - 1)
    if -results.margin < near.low and near.high < results.margin:
        return "neutral"
    if p_holm < 1 - results.confidence:
        return "gain" if pair.better > 0 else "harm"
    return "undecided"


def _remark(pair: Pair, p_holm: float, results: StudyResults) -> str:
    """What a neutral verdict leaves unsaid."""
    if pair.same_network:
        return "the same network"
    if not p_holm < 1 - results.confidence:
        return ""
    sure = "" if pair.one_seed else "certainly "
    return f"{sure}{'better' if pair.better > 0 else 'worse'}, by less than the margin"


def arm_score(cell: Cell, results: StudyResults) -> ArmScore:
    return ArmScore(
        task=cell.task,
        metric=cell.metric,
        arm=cell.arm,
        fraction=cell.fraction,
        score=contrast([(1.0, cell)]).interval(results.confidence),
        by_seed=[float(score) for score in cell.scores],
    )
