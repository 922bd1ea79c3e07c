"""What must hold whatever the scores are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import PLANTED, mean, simulated_study

from usmt.output import Output
from usmt.study.findings import Comparison
from usmt.study.results import MetricScores, StudyResults
from usmt.study.statistics import analyse
from usmt.study.statistics.holm import holm
from usmt.study.statistics.resampling import populations

DRAWS = st.integers(0, 10_000)
FEW = settings(max_examples=15, deadline=None)


def one_task(draw: int, *, metric: str = "dice") -> StudyResults:
    """The task `lung`, one metric, as the study draws it."""
    task = next(planted for planted in PLANTED if planted.id == "lung")
    results = simulated_study([task], draw=draw, resamples=200)
    return replace(results, scores=[s for s in results.scores if s.metric == metric])


def changed(results: StudyResults, **change: object) -> StudyResults:
    only = results.scores[0]
    return replace(results, scores=[replace(only, **change)])


def first(results: StudyResults) -> Comparison:
    return analyse(results, Output.silent()).comparisons[0]


def ends(comparison: Comparison, of: str = "difference") -> tuple[float, float, float]:
    interval = getattr(comparison, of)
    return interval.value, interval.low, interval.high


@FEW
@given(DRAWS)
def test_swapping_the_arms_turns_the_difference(draw: int):
    results = one_task(draw)
    rows = {k: v for k, v in results.scores[0].rows.items() if k[0] in ("ts", "cg")}
    swapped = {({"ts": "cg", "cg": "ts"}[arm], seed): v for (arm, seed), v in rows.items()}
    there, back = first(changed(results, rows=rows)), first(changed(results, rows=swapped))
    value, low, high = ends(there)
    assert ends(back) == pytest.approx((-value, -high, -low))
    assert back.p == pytest.approx(there.p)
    assert back.effect.value == pytest.approx(-there.effect.value)


@FEW
@given(DRAWS)
def test_the_order_of_images_does_not_matter(draw: int):
    results = one_task(draw)
    only = results.scores[0]
    order = np.random.default_rng(draw).permutation(len(only.sources))
    mixed = changed(
        results,
        sources=only.sources[order],
        rows={key: rows[order] for key, rows in only.rows.items()},
    )
    assert ends(first(mixed)) == pytest.approx(ends(first(results)))


@FEW
@given(DRAWS, st.floats(0.01, 1000), st.booleans())
def test_another_unit_changes_the_difference_alone(draw: int, unit: float, error: bool):
    results = one_task(draw)
    scaled = {key: unit * rows for key, rows in results.scores[0].rows.items()}
    own, other = first(results), first(changed(results, rows=scaled))
    assert ends(other) == pytest.approx([unit * end for end in ends(own)])
    assert ends(other, "effect") == pytest.approx(ends(own, "effect"))
    assert ends(other, "relative") == pytest.approx(ends(own, "relative"))
    assert other.p == pytest.approx(own.p) and other.verdict == own.verdict


@FEW
@given(DRAWS)
def test_where_less_is_better_only_the_turned_numbers_turn(draw: int):
    results = one_task(draw)
    more, less = first(results), first(changed(results, higher_is_better=False))
    assert ends(less) == ends(more)
    for of in ("relative", "effect"):
        value, low, high = ends(more, of)
        assert ends(less, of) == pytest.approx((-value, -high, -low))


def test_images_of_few_patients_tell_less():
    """The same scores, of 120 patients or of 12: the interval must not stay as narrow."""
    results = one_task(1)
    count = len(results.scores[0].sources)
    own, other = np.random.default_rng(0).normal(0, 0.1, (2, 12)).repeat(10, axis=1)
    rows = {("ts", seed): 0.7 + own[:, None] for seed in range(3)}
    rows |= {("cg", seed): 0.7 + other[:, None] for seed in range(3)}
    by_image = first(changed(results, rows=rows, sources=np.arange(count)))
    by_patient = first(changed(results, rows=rows, sources=np.arange(count) // 10))
    width = by_patient.difference.high - by_patient.difference.low
    assert width > 2.5 * (by_image.difference.high - by_image.difference.low)


def test_sources_that_tasks_share_are_drawn_together():
    def of(task: str, names: list[str]) -> MetricScores:
        return MetricScores(task, "score", True, 1.0, np.array(names), {}, mean)

    scores = [of("a", ["p", "q"]), of("b", ["x"]), of("c", ["q", "r"]), of("d", ["r", "s"])]
    found = populations(scores)
    assert sorted(sorted(one.task for one in each.scores) for each in found) == [
        ["a", "c", "d"],
        ["b"],
    ]


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=20))
def test_holm(p: list[float]):
    adjusted = holm(p)
    known = [(a, b) for a, b in zip(p, adjusted, strict=True) if a == a]
    assert all((a == a) == (b == b) for a, b in zip(p, adjusted, strict=True))
    assert all(a <= b <= 1 for a, b in known)
    assert all(b <= min(1, len(known) * a) for a, b in known)
    ordered = [b for _, b in sorted(known)]
    assert ordered == sorted(ordered)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
