"""Scores that allow no statistics give NaN, `undecided` and a caution: no error, no warning."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from simulated import PLANTED, simulated_study

from usmt.output import Output
from usmt.study.findings import Comparison, Findings
from usmt.study.results import StudyResults
from usmt.study.statistics import analyse


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def study(
    rows: Mapping[tuple[str, int], np.ndarray] | None = None, **change: object
) -> StudyResults:
    """The task `lung` with its Dice changed, and all others as they are."""
    results = simulated_study(resamples=100)
    scores = [
        replace(one, **({"rows": rows} if rows else {}), **change)
        if (one.task, one.metric) == ("lung", "dice")
        else one
        for one in results.scores
    ]
    return replace(results, scores=scores)


def lung(found: Findings) -> list[Comparison]:
    return [each for each in found.comparisons if each.task == "lung"]


def undecided(results: StudyResults, caution: str) -> Findings:
    found = analyse(results, Output.silent())
    for each in lung(found):
        assert each.verdict == "undecided" and math.isnan(each.p) and math.isnan(each.p_holm)
        assert math.isnan(each.difference.low) and math.isnan(each.effect.high)
    assert any(caution in each for each in found.cautions)
    assert len(found.answer) == 3 and len(found.recommendations) == len(PLANTED)
    others = [each for each in found.comparisons if each.task != "lung"]
    assert any(each.verdict == "gain" for each in others)  # they do not suffer
    return found


def constant(value: float) -> dict[tuple[str, int], np.ndarray]:
    return {(arm, s): np.full((120, 1), value) for arm in ("ts", "cg", "au") for s in range(3)}


def test_one_source():
    undecided(study(sources=np.array(["only"] * 120)), "one source")


def test_one_image():
    rows = {(arm, s): np.array([[0.5 + s / 100]]) for arm in ("ts", "cg", "au") for s in range(3)}
    undecided(study(rows, sources=np.array(["only"])), "one source")


def test_no_image():
    rows = {(arm, s): np.empty((0, 1)) for arm in ("ts", "cg") for s in range(3)}
    analyse(study(rows, sources=np.array([], str)), Output.silent())


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_constant_scores(value: float):
    undecided(study(constant(value)), "No interval for CG on lung, AU on lung")


def test_a_metric_that_is_nowhere_defined():
    undecided(study(pool=lambda rows, weights: np.full(len(weights), np.nan)), "No interval")


def test_a_metric_that_some_samples_do_not_define():
    def now_and_then(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        scores = weights @ rows[:, 0] / weights.sum(axis=1)
        return np.where(weights[:, 0] < 0.1, np.nan, scores)

    found = lung(analyse(study(pool=now_and_then), Output.silent()))
    assert {each.arm: each.verdict for each in found} == {"cg": "harm", "au": "gain"}


def test_scores_that_are_nan_on_some_images():
    rows = dict(study().scores[12].rows)
    spoilt = constant(0.5)
    spoilt["cg", 1][3] = np.nan
    assert rows
    undecided(study(spoilt), "No interval")


def test_a_reference_of_zero_has_no_relative_change():
    rows = {("ts", s): np.zeros((120, 1)) for s in range(3)}
    noise = np.random.default_rng(0).uniform(0.2, 0.6, (3, 120, 1))
    rows |= {(arm, s): noise[s] for arm in ("cg", "au") for s in range(3)}
    found = analyse(study(rows), Output.silent())
    for each in lung(found):
        assert each.verdict == "gain" and math.isnan(each.relative.value)
    assert any("No relative change" in caution for caution in found.cautions)


def test_no_reference():
    lost = {("ts-lung", seed) for seed in (0, 1, 2)}
    found = analyse(simulated_study(failed=lost, resamples=100), Output.silent())
    assert all(each.verdict == "undecided" and each.seeds == (3, 0) for each in lung(found))


def test_all_runs_failed_or_nothing_was_measured():
    results = simulated_study(resamples=50)
    nothing = [replace(one, rows={}) for one in results.scores]
    for empty in (replace(results, scores=nothing), replace(results, scores=[], runs=[])):
        found = analyse(empty, Output.silent())
        assert len(found.answer) == 3 and not found.means and not found.scores
        assert all(each.advice == "undecided" for each in found.recommendations)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_few_seeds_are_cautioned(seeds: tuple[int, ...]):
    found = analyse(simulated_study(seeds=seeds, resamples=100), Output.silent())
    assert any("seed" in caution for caution in found.cautions)
    assert all(math.isfinite(each.difference.low) for each in found.comparisons)


def test_an_arm_with_one_seed_left_borrows_the_noise_of_the_others():
    failed = {("cg-lung", 0), ("cg-lung", 1)}
    found = analyse(simulated_study(failed=failed, resamples=200), Output.silent())
    one = next(each for each in lung(found) if each.arm == "cg")
    whole = next(
        each
        for each in lung(analyse(simulated_study(resamples=200), Output.silent()))
        if each.arm == "cg"
    )
    assert one.seeds == (1, 3)
    width = one.difference.high - one.difference.low
    assert width > whole.difference.high - whole.difference.low
    assert any("Only one seed has a score of CG on lung" in each for each in found.cautions)
