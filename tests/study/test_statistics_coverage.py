"""On simulated scores with a known difference, intervals cover it and false alarms are rare.

A quick part of benchmarks/coverage.py, seeded; docs/explanation/statistics.md has the whole.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "benchmarks" / "coverage.py"), run_name="coverage"
)
Design, measured = BENCHMARK["Design"], BENCHMARK["measured"]


@pytest.mark.parametrize(
    "design",
    [
        {"seeds": 2, "noise": 0.3},
        {"seeds": 3, "noise": 0.1, "sources": 20, "sizes": "lognormal"},
        {"seeds": 3, "noise": 1.0},
        {"seeds": 5, "noise": 10.0, "sources": 20},
        {"seeds": 1, "noise": 0.0},
        {"seeds": 3, "noise": 0.3, "metric": "auc"},
    ],
    ids=str,
)
def test_intervals_cover_the_true_difference(design: dict[str, Any]):
    found = measured(Design(**design, resamples=200), 300)
    assert 93 <= found.percent("difference") <= 97
    if design.get("metric") != "auc":
        assert 93 <= found.percent("relative") <= 97


@pytest.mark.parametrize("shared", [False, True], ids=["own sources", "shared sources"])
def test_means_over_tasks_are_covered_and_false_alarms_stay_rare(shared: bool):
    design = Design(tasks=6, arms=2, difference=0.0, seeds=3, shared=shared, resamples=150)
    found = measured(design, 60)
    assert found.false_alarms <= 5
    assert 91 <= found.percent("mean") <= 99  # of 120
