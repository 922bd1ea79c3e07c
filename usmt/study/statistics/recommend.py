"""How to train a task, by what the comparisons decided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from usmt.study.findings import Advice, Comparison, Recommendation, Verdict
from usmt.study.results import Arm, StudyResults
from usmt.study.statistics.answer import listed
from usmt.study.statistics.comparison import Pair
from usmt.study.statistics.contrast import contrast
from usmt.study.statistics.holm import holm


def recommend(
    pairs: Sequence[Pair], comparisons: Sequence[Comparison], task: str, results: StudyResults
) -> Recommendation:
    """From the comparisons of one task, at one fraction, with their pairs."""
    arms = {arm.name: arm for arm in results.arms}
    reference = arms[results.reference]
    by = ", by one seed" if any(pair.one_seed for pair in pairs) else ""
    gains = [p for p, c in zip(pairs, comparisons, strict=True) if c.verdict == "gain"]
    if gains:
        best = max(gains, key=lambda pair: pair.better)
        told = _told([c for c in comparisons if c.arm == best.arm], results, by)
        reason = f"Train it {_way(arms[best.arm], results)}{by}: {told}"
        reason += f"{_rivals(best, gains, results)}."
        return Recommendation(task, _advice(arms[best.arm]), best.arm, reason)

    of: dict[Verdict, list[Comparison]] = {
        verdict: [c for c in comparisons if c.verdict == verdict]
        for verdict in ("harm", "neutral", "undecided")
    }
    if of["undecided"] or not comparisons:
        told = _told(of["undecided"], results, by) or "no arm could be compared"
        known = _told([*of["harm"], *of["neutral"]], results, by)
        reason = f"Not decided by these data{by}: {told}{known and f'; but {known}'}."
        return Recommendation(task, "undecided", "", reason)
    others = [p for p in pairs if not p.same_network]
    if len(of["harm"]) == len(others) > 0:
        stay = reference.paradigm != "ts"
        stay_so = f"Stay with {results.label(reference.name)}"
        way = stay_so if stay else f"Train it {_way(reference, results)}"
        reason = f"{way}{by}: {_told(comparisons, results, by)}."
        return Recommendation(task, _advice(reference), reference.name, reason)
    return Recommendation(task, "either", "", _either(reference, of, by, results))


def _advice(arm: Arm) -> Advice:
    advice: dict[str, Advice] = {"ts": "alone", "au": "all"}
    return advice.get(arm.paradigm, "group")


def _way(arm: Arm, results: StudyResults) -> str:
    """How an arm trains a task, in words."""
    ways = {"ts": "alone", "cg": "with its group", "au": "with all tasks"}
    title = results.groups.get(arm.paradigm, arm.paradigm)
    way = ways.get(arm.paradigm, f"with the group {title}")
    if arm.name == arm.paradigm:
        return way
    return f"{way}, {'with' if arm.moe else 'without'} experts"


def _rivals(best: Pair, gains: Sequence[Pair], results: StudyResults) -> str:
    """The other arms that gain and are not certainly worse; all have the same reference, so the
    best has the best score, and a small p says that it is better."""
    rivals = [pair for pair in gains if pair is not best and not _same_network(pair, best)]
    p = holm([_p_of_difference(best, rival) for rival in rivals])
    near = [r for r, each in zip(rivals, p, strict=True) if not each < 1 - results.confidence]
    if not near:
        return ""
    names = listed([results.label(rival.arm) for rival in near])
    if len(near) == 1:
        return f"; {names} gains too and neither is certainly better, so the larger is taken"
    return f"; {names} gain too and none is certainly better, so the largest is taken"


def _same_network(one: Pair, other: Pair) -> bool:
    own, against = one.cells[0], other.cells[0]
    return own is not None and against is not None and own.network == against.network


def _p_of_difference(one: Pair, other: Pair) -> float:
    own, against = one.cells[0], other.cells[0]
    if own is None or against is None:
        return math.nan
    return contrast([(1.0, own), (-1.0, against)]).p()


def _either(
    reference: Arm, of: dict[Verdict, list[Comparison]], by: str, results: StudyResults
) -> str:
    """All arms are decided and none gains: those that change little, and those that harm."""
    arms = {arm.name: arm for arm in results.arms}
    ways = [_way(arm, results) for arm in (reference, *(arms[c.arm] for c in of["neutral"]))]
    reason = (
        f"It makes a difference of less than {100 * results.margin:.3g}%{by} whether it is trained "
        f"{listed(ways, 'or')}: {_told(of['neutral'], results, by)}"
    )
    if of["harm"]:
        against = listed([_way(arms[c.arm], results) for c in of["harm"]], "or")
        reason += f"; not {against}: {_told(of['harm'], results, by)}"
    return f"{reason}."


def _told(comparisons: Sequence[Comparison], results: StudyResults, by_one_seed: str) -> str:
    """Comparisons in words, with their numbers; nothing is certain by one seed."""
    sure = "" if by_one_seed else "certainly "
    words = {
        "gain": f"{sure}gains",
        "harm": f"{sure}loses",
        "neutral": "changes nothing that matters",
        "undecided": "is not decided",
    }
    return "; ".join(
        f"{results.label(c.arm)} is {c.remark} as {results.label(c.reference)}"
        if c.remark == "the same network"
        else f"{results.label(c.arm)} {words[c.verdict]} ({_numbers(c, results)})"
        for c in comparisons
    )


def _numbers(comparison: Comparison, results: StudyResults) -> str:
    change = comparison.relative
    if not math.isfinite(change.low):
        return "its scores allow no interval"
    better = change.value >= 0
    ends = (change.low, change.high) if better else (-change.high, -change.low)
    numbers = (
        f"{comparison.metric} {'better' if better else 'worse'} by "
        f"{100 * abs(change.value):.1f}%, {100 * results.confidence:.3g}% interval "
        f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"
    )
    return f"{numbers}; {comparison.remark}" if comparison.remark else numbers
