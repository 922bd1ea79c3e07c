"""Means over tasks; among them the paper's own."""

from __future__ import annotations

import math

import pytest
from simulated import Planted, simulated_study

from usmt.output import Output
from usmt.study.statistics import analyse, paper_mean


def test_table_2_of_the_paper_from_its_published_scores():
    """Breast and Lung under CG: -0.29 and -0.07. The paper gives the segmentation scores; of
    its classification only that breast hardly changes. So the first row comes out to its last
    digit but one, and the second for the one change of lung's classification that it leaves."""
    breast = paper_mean([("segmentation", 0.145 - 0.713), *[("classification", 0.0)] * 2])
    assert breast == pytest.approx(-0.284)
    assert breast == pytest.approx(-0.29, abs=0.01)
    lung = paper_mean([("segmentation", 0.576 - 0.801), ("classification", 0.085)])
    assert lung == pytest.approx(-0.07)


def test_pixels_count_as_they_are():
    changes = [("regression", 30.4 - 15.6), ("segmentation", 0.481 - 0.217)]
    assert paper_mean(changes) == pytest.approx((14.8 + 0.264) / 2)


def test_task_types_weigh_the_same_however_many_tasks_they_have():
    changes = [("segmentation", -0.6), *[("classification", 0.2)] * 3]
    assert paper_mean(changes) == pytest.approx(-0.2)
    assert paper_mean([*changes, ("regression", math.nan)]) == pytest.approx(-0.2)
    assert math.isnan(paper_mean([]))


def test_means_are_those_of_their_tasks():
    found = analyse(simulated_study(), Output.silent())
    by_task = {(each.task, each.arm): each for each in found.comparisons}
    types = {task.id: task.type for task in found.results.tasks}
    assert {mean.kind for mean in found.means} == {
        "group",
        "task type",
        "training images",
        "all",
    }
    for mean in found.means:
        own = [by_task[task, mean.arm] for task in mean.tasks]
        assert mean.effect.value == pytest.approx(sum(c.effect.value for c in own) / len(own))
        assert mean.relative.value == pytest.approx(sum(c.relative.value for c in own) / len(own))
        assert mean.effect.low < mean.effect.value < mean.effect.high
        turned = [
            (types[c.task], c.difference.value * (-1 if c.metric == "mre" else 1)) for c in own
        ]
        if mean.kind == "group":
            assert mean.paper == pytest.approx(paper_mean(turned))
        else:
            assert math.isnan(mean.paper)


def test_each_task_is_in_one_range_of_training_images():
    found = analyse(simulated_study(), Output.silent())
    for arm in ("cg", "au"):
        ranges = [m for m in found.means if m.kind == "training images" and m.arm == arm]
        whole = next(m for m in found.means if m.kind == "all" and m.arm == arm)
        assert len(ranges) == 3
        assert sorted(task for each in ranges for task in each.tasks) == sorted(whole.tasks)


def test_a_mean_of_tasks_that_share_images_is_less_certain():
    """Twelve tasks on the same patients tell less than twelve on their own."""
    own = [Planted(f"t{i}", "segmentation", "ob", {"cg": 0.01}) for i in range(12)]
    apart = simulated_study(own)
    together = simulated_study(own)
    for scores in together.scores:
        if scores.metric == "dice":
            first = next(s for s in together.scores if s.metric == "dice")
            scores.rows.update(first.rows)  # type: ignore[attr-defined]
            scores.sources[:] = first.sources
    widths = []
    for results in (apart, together):
        found = analyse(results, Output.silent())
        mean = next(m for m in found.means if m.kind == "all" and m.arm == "cg")
        widths.append(mean.relative.high - mean.relative.low)
    assert widths[1] > 2 * widths[0]
