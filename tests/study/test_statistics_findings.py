"""What is planted in a study is found, what is not is not, and the words say it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from simulated import Planted, simulated_study

from usmt.output import Output
from usmt.study.findings import Comparison, Findings
from usmt.study.statistics import analyse


@pytest.fixture(scope="module")
def found() -> Findings:
    return analyse(simulated_study(), Output.silent())


@pytest.fixture(scope="module")
def both() -> Findings:
    """Both MoE variants, four fractions, two failed runs."""
    results = simulated_study(
        moe="both",
        fractions=(0.1, 0.25, 0.5, 1.0),
        failed={("cg-breast-moe", 1), ("au-dense", 0)},
    )
    return analyse(results, Output.silent())


def compared(found: Findings, task: str, arm: str, fraction: float = 1.0) -> Comparison:
    return next(
        each
        for each in found.comparisons
        if (each.task, each.arm, each.fraction) == (task, arm, fraction)
    )


@pytest.mark.parametrize(
    ("task", "arm", "verdict"),
    [
        ("fetal_abdomen_multi", "cg", "gain"),
        ("FUGC", "au", "gain"),  # an error: less is better
        ("lung", "au", "gain"),
        ("breast_lesion", "cg", "harm"),
        ("lung", "cg", "harm"),
        ("fetal_head", "cg", "neutral"),
        ("fetal_head", "au", "neutral"),
        ("breast_2cls", "cg", "undecided"),
        ("thyroid_nodule_det", "au", "undecided"),
    ],
)
def test_verdicts(found: Findings, task: str, arm: str, verdict: str):
    assert compared(found, task, arm).verdict == verdict


def test_signs(found: Findings):
    less_error = compared(found, "FUGC", "au")
    assert less_error.difference.value == pytest.approx(-14, abs=1.5)
    assert less_error.relative.value == pytest.approx(14 / 30, abs=0.05)
    assert less_error.effect.low > 0
    lower = compared(found, "breast_lesion", "cg")
    assert lower.difference.high < 0 and lower.relative.high < 0 and lower.effect.high < 0


def test_a_task_without_a_group_is_not_compared_in_one(found: Findings):
    arms = {each.arm for each in found.comparisons if each.task == "thyroid_nodule_det"}
    assert arms == {"au"}


def test_scores_of_all_metrics_and_seeds(found: Findings):
    score = next(s for s in found.scores if (s.task, s.metric, s.arm) == ("lung", "dice", "ts"))
    assert len(score.by_seed) == 3
    assert score.score.value == pytest.approx(sum(score.by_seed) / 3)
    assert score.score.low < 0.8 < score.score.high
    assert {s.metric for s in found.scores if s.task == "lung"} == {"dice", "hausdorff"}
    assert {c.metric for c in found.secondary} == {"hausdorff", "accuracy"}


@pytest.mark.parametrize(
    ("task", "advice", "arm"),
    [
        ("FUGC", "all", "au"),
        ("lung", "all", "au"),
        ("breast_lesion", "alone", "ts"),
        ("fetal_head", "either", ""),
        ("breast_2cls", "undecided", ""),
        ("lung_2cls", "undecided", ""),
    ],
)
def test_recommendations(found: Findings, task: str, advice: str, arm: str):
    one = next(each for each in found.recommendations if each.task == task)
    assert (one.advice, one.arm) == (advice, arm)
    assert one.reason.endswith(".") and "95% interval" in one.reason


def test_of_two_alike_gains_the_larger_is_taken_and_said_so():
    alike = [Planted("lung", "segmentation", "lung", {"cg": 0.1, "au": 0.1})]
    found = analyse(simulated_study(alike), Output.silent())
    advice = found.recommendations[0]
    better = {c.arm: c.difference.value for c in found.comparisons}
    assert advice.arm == max(better, key=lambda arm: better[arm])
    assert "neither is certainly better" in advice.reason


def test_the_answer_is_three_sentences_with_numbers(found: Findings):
    first, second, third = found.answer
    assert "CG and AU were compared with TS on 9 tasks with 3 seeds" in first
    assert first.count("95% interval") == 2
    harmed = sum(c.verdict == "harm" for c in found.comparisons if c.arm == "cg")
    assert f"certainly harms {harmed} (breast_lesion, lung, " in second
    undecided = sum(c.verdict == "undecided" for c in found.comparisons)
    assert third.startswith(f"{undecided} of 17 comparisons could not be decided")
    assert "synthetic images" in third


def test_cautions(found: Findings):
    text = " ".join(found.cautions)
    assert "synthetic" in text and "breast_2cls" in text and "seed" not in text
    alone = analyse(simulated_study(seeds=[4], synthetic=False), Output.silent())
    assert any("One seed only" in caution for caution in alone.cautions)
    assert not any("synthetic" in caution for caution in alone.cautions)


def test_failed_runs_leave_the_other_seeds_and_are_told(both: Findings):
    assert compared(both, "breast_lesion", "cg-moe").seeds == (2, 3)
    assert compared(both, "lung", "au-dense").seeds == (2, 3)
    assert any("8 runs failed: cg-breast-moe-f10-s1" in caution for caution in both.cautions)


def test_an_arm_that_never_finished_is_undecided_not_left_out():
    lost = {("cg-lung", seed) for seed in (0, 1, 2)}
    found = analyse(simulated_study(failed=lost), Output.silent())
    gone = compared(found, "lung", "cg")
    assert gone.verdict == "undecided" and gone.seeds == (0, 3)
    assert math.isnan(gone.difference.value) and math.isnan(gone.p_holm)
    assert compared(found, "lung", "au").verdict == "gain"


def test_turns_over_the_training_data(both: Findings):
    turns = {(turn.task, turn.arm): turn for turn in both.turns}
    gained = turns["fetal_abdomen_multi", "au-moe"]  # planted: at log2 of the part = -2.5
    assert gained.direction == "harm to gain" and gained.slope.low > 0
    assert gained.turns_at == pytest.approx(1000 * 2**-2.5, rel=0.15)
    lost = turns["lung", "cg-moe"]
    assert lost.direction == "gain to harm" and lost.slope.high < 0
    never = turns["lung", "au-moe"]
    assert never.direction == "none" and never.turns_at is None
    assert not analyse(simulated_study(), Output.silent()).turns


def test_the_effect_of_a_mixture_of_experts(both: Findings):
    pairs = {(each.arm, each.reference) for each in both.moe}
    assert pairs == {("cg-moe", "cg-dense"), ("au-moe", "au-dense")}
    abdomen = next(
        each
        for each in both.moe
        if (each.task, each.arm, each.fraction) == ("fetal_abdomen_multi", "au-moe", 1.0)
    )
    assert abdomen.verdict == "gain"
    assert abdomen.difference.low < 0.3 * 0.16 < abdomen.difference.high
    assert not analyse(simulated_study(), Output.silent()).moe


def test_each_fraction_is_a_family_of_its_own(both: Findings):
    for fraction in (0.1, 1.0):
        own = [each for each in both.comparisons if each.fraction == fraction]
        smallest = min(own, key=lambda each: each.p)
        assert smallest.p_holm == pytest.approx(min(1, len(own) * smallest.p))


def test_the_same_results_give_the_same_findings(found: Findings):
    again = analyse(simulated_study(), Output.silent())
    assert replace(again, results=found.results) == found or repr(again.means) == repr(found.means)
