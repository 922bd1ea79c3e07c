"""The study's answer in three sentences, and what weakens it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from usmt.study.findings import Comparison, MeanChange
from usmt.study.results import StudyResults

FEW_SOURCES = 20
"""Below, intervals were seen to be off by more than their confidence says, see
docs/explanation/statistics.md."""


def answer(
    comparisons: Sequence[Comparison], means: Sequence[MeanChange], results: StudyResults
) -> list[str]:
    """Three sentences, from the comparisons and means of the largest fraction."""
    return [
        _overall(comparisons, means, results),
        _where(comparisons, results),
        _undecided(comparisons, results),
    ]


def _overall(
    comparisons: Sequence[Comparison], means: Sequence[MeanChange], results: StudyResults
) -> str:
    arms = list(dict.fromkeys(comparison.arm for comparison in comparisons))
    seeds = _count(len(results.seeds), "seed")
    if not arms:
        return f"No arm could be compared with {results.label(results.reference)} ({seeds})."
    tasks = len({comparison.task for comparison in comparisons})
    level = f"{100 * results.confidence:.3g}% interval"
    effects = [
        f"{results.label(mean.arm)} {mean.effect.value:+.2f} ({level} {mean.effect.low:+.2f} to "
        f"{mean.effect.high:+.2f}, {_count(len(mean.effect_tasks), 'task')})"
        for mean in means
        if mean.kind == "all" and math.isfinite(mean.effect.low)
    ]
    overall = (
        f"the mean standardised effect, more being better, is {listed(effects)}"
        if effects
        else "no effect could be computed"
    )
    names = listed([results.label(arm) for arm in arms])
    return (
        f"{names} {'were' if len(arms) > 1 else 'was'} compared with "
        f"{results.label(results.reference)} on {_count(tasks, 'task')} with {seeds}: {overall}."
    )


def _where(comparisons: Sequence[Comparison], results: StudyResults) -> str:
    """What each arm certainly does, and to which tasks; with one seed nothing is certain."""
    one_seed = len(results.seeds) == 1
    sure = "" if one_seed else "certainly "
    said = []
    for arm in dict.fromkeys(comparison.arm for comparison in comparisons):
        own = [comparison for comparison in comparisons if comparison.arm == arm]
        helped, harmed, same = (
            _counted([each.task for each in own if each.verdict == verdict])
            for verdict in ("gain", "harm", "neutral")
        )
        said.append(
            f"of {_count(len(own), 'task')}, {results.label(arm)} {sure}helps {helped}, "
            f"{sure}harms {harmed}, and changes {same} by less than {100 * results.margin:.3g}%"
        )
    if not said:
        return "Nothing is known of where it helps or harms."
    text = ("for these networks (one seed), " if one_seed else "") + "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _counted(tasks: Sequence[str]) -> str:
    return f"{len(tasks)} ({_first(tasks)})" if tasks else "none"


def _undecided(comparisons: Sequence[Comparison], results: StudyResults) -> str:
    open_ = [comparison for comparison in comparisons if comparison.verdict == "undecided"]
    text = f"{len(open_)} of {_count(len(comparisons), 'comparison')} could not be decided"
    limits = list(_limits(comparisons, results))
    return f"{text}; the answer is limited by {listed(limits)}." if limits else f"{text}."


def _limits(comparisons: Sequence[Comparison], results: StudyResults) -> Iterator[str]:
    if results.synthetic:
        yield "synthetic images"
    if len(results.seeds) == 1:
        yield "a single seed"
    elif len(results.seeds) == 2:
        yield "only two seeds"
    lost = sum(run.state in ("failed", "missing") for run in results.runs if run.chosen)
    if lost:
        yield _count(lost, "run") + " without a score"
    few = {c.task for c in comparisons if c.sources < FEW_SOURCES}
    if few:
        yield f"{_count(len(few), 'task')} with fewer than {FEW_SOURCES} test sources"


def cautions(comparisons: Sequence[Comparison], results: StudyResults) -> list[str]:
    """What weakens the answer, most weighty first. `comparisons` of all fractions."""
    return list(dict.fromkeys(_cautions(comparisons, results)))


def _cautions(comparisons: Sequence[Comparison], results: StudyResults) -> Iterator[str]:
    if results.synthetic:
        yield "The images are synthetic: nothing here holds for patients."
    if len(results.seeds) == 1:
        yield (
            "One seed only: the noise of training is not known, intervals are those of other test "
            "images for these very networks, and another seed may give another answer."
        )
    elif len(results.seeds) == 2:
        yield "Two seeds only: the noise of training is known badly, and intervals are wide for it."
    yield from _of_runs(results)
    single = [c for c in comparisons if len(results.seeds) > 1 and 1 in c.seeds]
    if single:
        yield (
            f"Only one seed has a score of {_places(single, results)}: the noise of training is "
            "taken from the other scores, or not counted where these are too few."
        )
    few = sorted({c.task for c in comparisons if 1 < c.sources < FEW_SOURCES})
    if few:
        yield (
            f"Fewer than {FEW_SOURCES} patients or videos in the test images of {', '.join(few)}: "
            "intervals are rough."
        )
    unknown = [
        task.id
        for task in results.tasks
        if not results.synthetic and task.test_images == task.test_sources >= FEW_SOURCES
    ]
    if unknown:
        yield (
            f"No patient or video is known for {', '.join(unknown)}: each image counts as a "
            "patient, and intervals may be too narrow."
        )
    alone = sorted({c.task for c in comparisons if c.sources == 1})
    if alone:
        yield (
            f"All test images of {', '.join(alone)} are of one source: how the change differs from "
            "patient to patient cannot be known, and nothing is decided."
        )
    blind = [c for c in comparisons if c.sources > 1 and not math.isfinite(c.p) and min(c.seeds)]
    if blind:
        yield (
            f"No interval for {_places(blind, results)}: the metric is not defined on these "
            "images, or its scores do not vary."
        )
    zero = [c for c in comparisons if math.isfinite(c.p) and not math.isfinite(c.relative.value)]
    if zero:
        yield f"No relative change for {_places(zero, results)}: the reference's score is 0."


def _of_runs(results: StudyResults) -> Iterator[str]:
    for state, words in (("failed", "failed"), ("missing", "without a score")):
        names = [run.id for run in results.runs if run.chosen and run.state == state]
        if names:
            yield f"{_count(len(names), 'run')} {words}: {_first(names)}."


def _places(comparisons: Iterable[Comparison], results: StudyResults) -> str:
    return _first(list(dict.fromkeys(f"{results.label(c.arm)} on {c.task}" for c in comparisons)))


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
