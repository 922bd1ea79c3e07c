"""How to train a task, by what the comparisons decided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from usmt.study.findings import Advice, Comparison, Recommendation
from usmt.study.results import Arm, StudyResults
from usmt.study.statistics.comparison import Pair
from usmt.study.statistics.contrast import contrast

WITH: dict[Advice, str] = {"group": "its group", "all": "all tasks"}


def recommend(
    pairs: Sequence[Pair], comparisons: Sequence[Comparison], task: str, results: StudyResults
) -> Recommendation:
    """From the comparisons of one task, at one fraction, with their pairs."""
    arms = {arm.name: arm for arm in results.arms}
    verdicts = {comparison.verdict for comparison in comparisons}
    gains = [
        (pair, comparison)
        for pair, comparison in zip(pairs, comparisons, strict=True)
        if comparison.verdict == "gain"
    ]
    told = "; ".join(_told(comparison, results) for comparison in comparisons)
    if gains:
        best, gain = max(gains, key=lambda each: each[1].effect.value)
        advice = _advice(arms[best.arm])
        rivals = [
            pair for pair, _ in gains if pair is not best and not _surely(best, pair, results)
        ]
        more = "".join(
            f"; {results.label(rival.arm)} gains too and neither is certainly better, so the "
            "larger is taken"
            for rival in rivals[:1]
        )
        reason = f"Train it with {WITH[advice]}: {_told(gain, results)}{more}."
        return Recommendation(task, advice, best.arm, reason)
    if verdicts == {"harm"}:
        return Recommendation(task, "alone", results.reference, f"Train it alone: {told}.")
    if verdicts == {"neutral"}:
        margin = f"less than {100 * results.margin:.3g}%"
        return Recommendation(task, "either", "", f"It makes a difference of {margin}: {told}.")
    nothing = "no arm could be compared"
    return Recommendation(task, "undecided", "", f"Not decided by these data: {told or nothing}.")


def _advice(arm: Arm) -> Advice:
    return "all" if arm.paradigm == "au" else "group"


def _surely(best: Pair, other: Pair, results: StudyResults) -> bool:
    """Whether one of two arms that both gain is certainly better."""
    own, against = best.cells[0], other.cells[0]
    if own is None or against is None:
        return False
    p = contrast([(1.0, own), (-1.0, against)]).p()
    return p < 1 - results.confidence


def _told(comparison: Comparison, results: StudyResults) -> str:
    """A comparison in words, with its numbers."""
    words = {
        "gain": "certainly gains",
        "harm": "certainly loses",
        "neutral": "changes nothing that matters",
        "undecided": "is not decided",
    }
    change = comparison.relative
    if math.isfinite(change.low):
        better = change.value >= 0
        ends = (change.low, change.high) if better else (-change.high, -change.low)
        numbers = (
            f"{comparison.metric} {'better' if better else 'worse'} by "
            f"{100 * abs(change.value):.1f}%, {100 * results.confidence:.3g}% interval "
            f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"
        )
    else:
        numbers = "its scores allow no interval"
    return f"{results.label(comparison.arm)} {words[comparison.verdict]} ({numbers})"
