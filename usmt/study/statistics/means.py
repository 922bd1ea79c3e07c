"""Changes of several tasks in one number: of a group, a task type, a size of training data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from usmt.study.findings import MeanChange
from usmt.study.results import StudyResults, StudyTask
from usmt.study.statistics.comparison import Pair, scale_variance
from usmt.study.statistics.contrast import (
    NAN,
    NO_CHANGE,
    UNKNOWN,
    Contrast,
    Terms,
    contrast,
)


def paper_mean(changes: Iterable[tuple[str, float]]) -> float:
    """The paper's mean change of a group (its Table 2), from (task type, raw change) of each task,
    turned so that more is better: the mean over the task types of the mean within each. It mixes
    pixels with Dice. NaN changes are left out; NaN if none is left."""
    by_type: dict[str, list[float]] = {}
    for kind, change in changes:
        if math.isfinite(change):
            by_type.setdefault(kind, []).append(change)
    return float(np.mean([np.mean(each) for each in by_type.values()])) if by_type else NAN


def mean_changes(pairs: Sequence[Pair], results: StudyResults) -> list[MeanChange]:
    """By group, task type and size of training data, and over all, for the pairs of one arm and
    fraction. Tasks whose change is not known are left out; each mean is over those that have it."""
    tasks = {task.id: task for task in results.tasks}
    known = [pair for pair in pairs if math.isfinite(pair.better)]
    return [
        mean_change(kind, name, chosen, results)
        for kind, name, chosen in _selections(known, tasks, results)
        if chosen
    ]


def _selections(
    pairs: Sequence[Pair], tasks: Mapping[str, StudyTask], results: StudyResults
) -> Iterator[tuple[str, str, list[Pair]]]:
    for group in results.groups:
        yield "group", group, [pair for pair in pairs if tasks[pair.task].group == group]
    for kind in dict.fromkeys(task.type for task in results.tasks):
        yield "task type", kind, [pair for pair in pairs if tasks[pair.task].type == kind]
    sizes = [tasks[pair.task].training_images.get(pair.fraction, 0) for pair in pairs]
    for name, low, high in _ranges(sizes):
        inside = [pair for pair, size in zip(pairs, sizes, strict=True) if low < size <= high]
        yield "training images", name, inside
    yield "all", "all tasks", list(pairs)


def _ranges(sizes: Sequence[int]) -> list[tuple[str, float, float]]:
    """Thirds of the tasks, by training images; none for less than three sizes."""
    different = sorted(set(sizes))
    if len(different) < 3:
        return []
    ordered = sorted(sizes)
    low, high = (ordered[math.ceil(len(ordered) * part / 3) - 1] for part in (1, 2))
    if low == high or high == ordered[-1]:
        low, high = (different[math.ceil(len(different) * part / 3) - 1] for part in (1, 2))
    return [
        (f"up to {low:,}", -math.inf, low),
        (f"{low + 1:,} to {high:,}", low, high),
        (f"over {high:,}", high, math.inf),
    ]


def mean_change(kind: str, name: str, pairs: Sequence[Pair], results: StudyResults) -> MeanChange:
    """Of pairs whose change is known, of one arm, reference and fraction."""
    types = {task.id: task.type for task in results.tasks}
    with_effect = [pair for pair in pairs if math.isfinite(pair.effect.value)]
    with_relative = [pair for pair in pairs if math.isfinite(pair.relative.value)]
    paper = paper_mean((types[pair.task], pair.better) for pair in pairs)
    return MeanChange(
        kind=kind,
        name=name,
        arm=pairs[0].arm,
        reference=pairs[0].reference,
        fraction=pairs[0].fraction,
        tasks=[pair.task for pair in pairs],
        paper=paper if kind == "group" else NAN,
        effect=_mean_effect(with_effect).interval(results.confidence),
        relative=_mean_relative(with_relative).interval(results.confidence),
        effect_tasks=[pair.task for pair in with_effect],
        relative_tasks=[pair.task for pair in with_relative],
    )


def _mean_effect(pairs: Sequence[Pair]) -> Contrast:
    mean = _mean([pair.effect for pair in pairs], [pair.effect_terms() for pair in pairs])
    of_scales = 0.0
    for pair in pairs:
        arm = pair.cells[0]
        if arm is not None and not pair.same_network:
            of_scales += scale_variance(pair.effect.value, arm.clusters.freedom)
    return mean.widened(of_scales / max(1, len(pairs)) ** 2)


def _mean_relative(pairs: Sequence[Pair]) -> Contrast:
    return _mean([pair.relative for pair in pairs], [pair.relative_terms() for pair in pairs])


def _mean(changes: Sequence[Contrast], terms: Sequence[Terms]) -> Contrast:
    """Of changes that are known; one of a single network is 0 and adds no uncertainty."""
    if not changes:
        return UNKNOWN
    if all(change.exact for change in changes):
        return NO_CHANGE
    share = 1 / len(changes)
    around = contrast([(share * c, cell) for several in terms for c, cell in several])
    return replace(around, value=float(np.mean([change.value for change in changes])))
