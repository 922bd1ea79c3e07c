"""All that a report says, from all that a study measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from usmt.output import Output
from usmt.study.findings import Comparison, Findings, MeanChange, Recommendation, Turn
from usmt.study.results import StudyResults
from usmt.study.statistics.answer import answer, cautions
from usmt.study.statistics.cells import Cell, Key, measure
from usmt.study.statistics.comparison import Pair, arm_score, compare
from usmt.study.statistics.experts import expert_means
from usmt.study.statistics.means import mean_changes
from usmt.study.statistics.recommend import recommend
from usmt.study.statistics.turns import turn


def analyse(results: StudyResults, output: Output) -> Findings:
    """What follows from the scores. What is missing gives NaN and a caution, never an error; the
    same results give the same findings."""
    cells = measure(results, output)
    pairs = list(_against_reference(results, cells, primary=True))
    comparisons = _by_fraction(pairs, results)
    largest = max(results.fractions, default=1.0)
    at_largest = [each for each in comparisons if each.fraction == largest]
    experts = list(_moe_pairs(results, cells))
    means = [*_means(pairs, results), *expert_means(experts, results)]
    return Findings(
        results=results,
        scores=[arm_score(cell, results) for cell in cells.values()],
        comparisons=comparisons,
        secondary=_by_fraction(list(_against_reference(results, cells, primary=False)), results),
        moe=_by_fraction(experts, results),
        means=means,
        turns=_turns(pairs, results),
        recommendations=_recommendations(pairs, comparisons, largest, results),
        answer=answer(at_largest, [mean for mean in means if mean.fraction == largest], results),
        cautions=cautions(comparisons, results),
    )


def _against_reference(
    results: StudyResults, cells: Mapping[Key, Cell], *, primary: bool
) -> Iterator[Pair]:
    arms = [arm.name for arm in results.arms if arm.name != results.reference]
    return _pairs(results, cells, [(arm, results.reference) for arm in arms], primary=primary)


def _moe_pairs(results: StudyResults, cells: Mapping[Key, Cell]) -> Iterator[Pair]:
    """Each paradigm with a mixture of experts against the same without."""
    dense = {arm.paradigm: arm.name for arm in results.arms if not arm.moe}
    both = [
        (arm.name, dense[arm.paradigm]) for arm in results.arms if arm.moe and arm.paradigm in dense
    ]
    return _pairs(results, cells, both, primary=True)


def _pairs(
    results: StudyResults,
    cells: Mapping[Key, Cell],
    arms: Sequence[tuple[str, str]],
    *,
    primary: bool,
) -> Iterator[Pair]:
    """Those that the study has, or was meant to have."""
    planned = {
        (task, arm, run.fraction) for run in results.runs for arm in run.arms for task in run.tasks
    }
    is_primary = {(task.id, task.primary) for task in results.tasks}
    for scores in results.scores:
        task, metric, fraction = scores.task, scores.metric, scores.fraction
        if ((task, metric) in is_primary) != primary:
            continue
        for arm, reference in arms:
            cell = cells.get((task, metric, arm, fraction))
            other = cells.get((task, metric, reference, fraction))
            if cell is not None or (task, arm, fraction) in planned:
                yield Pair(task, metric, arm, reference, fraction, (cell, other))


def _by_fraction(pairs: Sequence[Pair], results: StudyResults) -> list[Comparison]:
    """The pairs of one fraction are one family. In the order of the pairs."""
    compared: dict[int, Comparison] = {}
    for fraction in dict.fromkeys(pair.fraction for pair in pairs):
        places = [i for i, pair in enumerate(pairs) if pair.fraction == fraction]
        family = compare([pairs[i] for i in places], results)
        compared.update(zip(places, family, strict=True))
    return [compared[i] for i in range(len(pairs))]


def _means(pairs: Sequence[Pair], results: StudyResults) -> list[MeanChange]:
    families: dict[tuple[float, str], list[Pair]] = {}
    for pair in pairs:
        families.setdefault((pair.fraction, pair.arm), []).append(pair)
    return [mean for family in families.values() for mean in mean_changes(family, results)]


def _turns(pairs: Sequence[Pair], results: StudyResults) -> list[Turn]:
    families: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        families.setdefault((pair.task, pair.arm), []).append(pair)
    found = (turn(family, results) for family in families.values())
    return [each for each in found if each is not None]


def _recommendations(
    pairs: Sequence[Pair], comparisons: Sequence[Comparison], fraction: float, results: StudyResults
) -> list[Recommendation]:
    advice = []
    for task in results.tasks:
        of_task = [
            (pair, comparison)
            for pair, comparison in zip(pairs, comparisons, strict=True)
            if pair.task == task.id and pair.fraction == fraction
        ]
        own = [pair for pair, _ in of_task]
        advice.append(recommend(own, [found for _, found in of_task], task.id, results))
    return advice
