"""What is advised, from changes planted arm by arm: which arm, in which words, how sure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from simulated import mean, simulated_study

from usmt.output import Output
from usmt.study.findings import Findings, Recommendation
from usmt.study.report.sections import question
from usmt.study.results import Arm, MetricScores, RunRecord, StudyResults, StudyTask
from usmt.study.statistics import analyse

TS, CG, AU = Arm("ts", "ts", False), Arm("cg", "cg", True), Arm("au", "au", True)
SURE, OPEN = 0.005, 0.5
"""Standard deviations of a change from patient to patient: one that decides, one that does not."""


def study(
    changes: Mapping[Arm, tuple[float, float]],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    tasks: int = 3,
    images: int = 60,
    served_by_the_reference: Sequence[Arm] = (),
    **change: object,
) -> StudyResults:
    """Tasks that are all alike; `changes` is by arm, with its standard deviation from patient to
    patient. The first arm is the reference."""
    rng = np.random.default_rng(5)
    reference = next(iter(changes))
    scores = []
    for task in range(tasks):
        easy = rng.normal(0.6, 0.05, images)
        rows = {}
        for arm, (better, spread) in changes.items():
            own = rng.normal(better, spread, images)
            for seed in seeds:
                noise = rng.normal(0, 0.002) + rng.normal(0, min(spread, SURE), images)
                rows[arm.name, seed] = (easy + own + noise)[:, None]
                if arm in served_by_the_reference:
                    rows[arm.name, seed] = rows[reference.name, seed]
        sources = np.array([f"t{task}-{image}" for image in range(images)])
        scores.append(MetricScores(f"t{task}", "dice", True, 1.0, sources, rows, mean))
    known = [
        StudyTask(one.task, "", "segmentation", "g", "dice", {1.0: 100}, images, images)
        for one in scores
    ]
    results = StudyResults(
        "A study", list(changes), reference.name, known, {"g": "Group", "chest": "Chest"}, {},
        seeds, [1.0], scores, list(runs(changes, seeds, tasks)), {}, {}, True, resamples=400,
    )  # fmt: skip
    return replace(results, **change)


def runs(arms: Mapping[Arm, object], seeds: Sequence[int], tasks: int) -> list[RunRecord]:
    return [
        RunRecord(f"{arm.name}-t{task}-s{seed}", f"{arm.name}-t{task}", [arm.name], [f"t{task}"],
                  arm.moe, seed, 1.0, 1.0, True, "finished")
        for arm in arms for task in range(tasks) for seed in seeds
    ]  # fmt: skip


def found(*args: object, **options: object) -> Findings:
    return analyse(study(*args, **options), Output.silent())  # type: ignore[arg-type]


def advised(findings: Findings) -> Recommendation:
    first = findings.recommendations[0]
    assert len(findings.recommendations) == len(findings.results.tasks)
    assert first.reason.endswith(".") and first.reason.count(".") >= 1
    return first


# -- which of several gains


def test_the_best_score_is_taken_and_not_the_largest_effect():
    """CG gains little but alike in all patients: a large effect, and still the worse arm."""
    findings = found({TS: (0, SURE), CG: (0.06, SURE), AU: (0.16, 0.08)})
    effects = {each.arm: each.effect.value for each in findings.comparisons[:2]}
    assert effects["cg"] > effects["au"]
    advice = advised(findings)
    assert (advice.advice, advice.arm) == ("all", "au")
    assert "certainly better" not in advice.reason  # CG certainly is worse: nothing to add


def test_every_arm_that_is_not_certainly_worse_is_named():
    chest = Arm("chest", "chest", True)
    findings = found({TS: (0, SURE), CG: (0.1, 0.03), AU: (0.1, 0.03), chest: (0.1, 0.03)})
    advice = advised(findings)
    others = {"CG", "AU", "chest"} - {findings.results.label(advice.arm)}
    assert "none is certainly better, so the largest is taken" in advice.reason
    assert all(label in advice.reason.split(";")[-1] for label in others)


# -- in which words


def test_training_alone_with_experts_can_be_the_advice():
    dense, experts = Arm("ts-dense", "ts", False), Arm("ts-moe", "ts", True)
    advice = advised(found({dense: (0, SURE), experts: (0.1, SURE)}))
    assert (advice.advice, advice.arm) == ("alone", "ts-moe")
    assert advice.reason.startswith("Train it alone, with experts: TS-MoE certainly gains")
    advice = advised(found({dense: (0, SURE), experts: (-0.1, SURE)}))
    assert (advice.advice, advice.arm) == ("alone", "ts-dense")
    assert advice.reason.startswith("Train it alone, without experts: TS-MoE certainly loses")


def test_a_named_group_is_named():
    chest = Arm("chest", "chest", True)
    advice = advised(found({TS: (0, SURE), chest: (0.1, SURE)}))
    assert (advice.advice, advice.arm) == ("group", "chest")
    assert advice.reason.startswith("Train it with the group Chest: chest certainly gains")


@pytest.mark.parametrize("change", [0.1, 0.0, -0.1])
def test_a_study_without_training_alone_does_not_speak_of_it(change: float):
    findings = found({CG: (0, SURE), AU: (change, SURE)})
    advice = advised(findings)
    expected = {0.1: ("all", "au"), 0.0: ("either", ""), -0.1: ("group", "cg")}
    assert (advice.advice, advice.arm) == expected[change]
    if change < 0:
        assert advice.reason.startswith("Stay with CG: AU certainly loses")
    said = [advice.reason, *findings.answer, *findings.cautions, question(findings.results)]
    assert not any("alone" in text for text in said)


# -- how sure


def test_one_seed_makes_nothing_certain():
    findings = found({TS: (0, SURE), CG: (0.1, SURE), AU: (-0.1, SURE)}, seeds=[3])
    assert [each.verdict for each in findings.comparisons[:2]] == ["gain", "harm"]
    advice = advised(findings)
    assert advice.arm == "cg" and advice.reason.startswith("Train it with its group, by one seed:")
    assert findings.answer[1].startswith("For these networks (one seed), of 3 tasks, CG helps 3")
    assert not any("certainly" in text for text in [*findings.answer, advice.reason])


def test_neutral_and_harm_are_decided():
    advice = advised(found({TS: (0, SURE), CG: (0, SURE), AU: (-0.1, SURE)}))
    assert (advice.advice, advice.arm) == ("either", "")
    assert "whether it is trained alone or with its group: CG changes nothing" in advice.reason
    assert "; not with all tasks: AU certainly loses" in advice.reason


def test_harm_beside_an_open_arm_is_said():
    advice = advised(found({TS: (0, SURE), CG: (0, OPEN), AU: (-0.1, SURE)}))
    assert advice.advice == "undecided"
    assert advice.reason.startswith("Not decided by these data: CG is not decided")
    assert "; but AU certainly loses" in advice.reason


def test_a_certain_change_within_the_margin_is_said_to_be_one():
    findings = found({TS: (0, SURE), AU: (0.012, SURE)})
    first = findings.comparisons[0]
    assert first.verdict == "neutral" and first.p_holm < 0.05
    assert first.remark == "certainly better, by less than the margin"
    assert first.remark in advised(findings).reason


# -- one network in two arms


def test_an_arm_that_is_the_network_of_the_reference_changes_nothing():
    changes = {TS: (0, SURE), CG: (0, SURE), AU: (-0.1, SURE)}
    findings = found(changes, served_by_the_reference=[CG])
    same = [each for each in findings.comparisons if each.arm == "cg"]
    for each in same:
        for interval in (each.difference, each.relative, each.effect):
            assert (interval.value, interval.low, interval.high) == (0, 0, 0)
        assert (each.verdict, each.p, each.p_holm) == ("neutral", 1, 1)
        assert each.remark == "the same network"
    tested = [each for each in findings.comparisons if each.arm == "au"]
    smallest = min(tested, key=lambda each: each.p)
    assert smallest.p_holm == pytest.approx(len(tested) * smallest.p)  # CG is not in the family
    assert not any("not defined" in caution for caution in findings.cautions)
    advice = advised(findings)
    assert (advice.advice, advice.arm) == ("alone", "ts")
    assert "CG is the same network as TS" in advice.reason
    for each in findings.means:
        if each.arm == "cg":
            assert (each.effect.low, each.relative.value) == (0, 0) and len(each.effect_tasks) == 3


def test_a_run_that_serves_two_arms_is_one_network():
    """Told by the runs alone: the rows may have been read twice."""
    results = study({TS: (0, SURE), CG: (0, SURE)}, served_by_the_reference=[CG])
    scores = [
        replace(one, rows={key: rows.copy() for key, rows in one.rows.items()})
        for one in results.scores
    ]
    shared = [replace(run, arms=["ts", "cg"]) for run in results.runs if run.arms == ["ts"]]
    findings = analyse(replace(results, scores=scores, runs=shared), Output.silent())
    assert {each.remark for each in findings.comparisons} == {"the same network"}
    assert advised(findings).advice == "either"


# -- means


def test_a_mean_is_over_the_tasks_that_have_it():
    """One task changes by the same in every image: it has no effect, and a change all the same."""
    results = study({TS: (0, SURE), CG: (0.05, SURE)})
    first, *others = results.scores
    alike = {("ts", s): first.rows["ts", s] for s in range(3)}
    alike |= {("cg", s): first.rows["ts", s] + 0.125 for s in range(3)}
    scores = [replace(first, rows=alike), *others]
    findings = analyse(replace(results, scores=scores), Output.silent())
    changes = [each.difference.value for each in findings.comparisons]
    assert math.isnan(findings.comparisons[0].effect.value)
    (group,) = [each for each in findings.means if each.kind == "group"]
    assert group.tasks == ["t0", "t1", "t2"] and group.effect_tasks == ["t1", "t2"]
    assert group.paper == pytest.approx(sum(changes) / 3)
    assert math.isfinite(group.effect.low) and group.relative_tasks == group.tasks
    assert group.relative.value == pytest.approx(
        sum(each.relative.value for each in findings.comparisons) / 3
    )


def test_means_of_the_mixture_of_experts_and_of_what_it_adds_to_grouping():
    """Experts add 0.05 alone and 0.08 in a group: 0.03 more."""
    alone, alone_moe = Arm("ts-dense", "ts", False), Arm("ts-moe", "ts", True)
    group, group_moe = Arm("cg-dense", "cg", False), Arm("cg-moe", "cg", True)
    changes = {alone: 0.0, alone_moe: 0.05, group: 0.02, group_moe: 0.1}
    findings = found({arm: (change, 0.01) for arm, change in changes.items()}, tasks=6)
    means = {(m.kind, m.name): m for m in findings.means}
    for name, level, truth in (("ts", 0.6, 0.05), ("cg", 0.62, 0.08)):
        experts = means["mixture of experts", name]
        assert (experts.arm, experts.reference) == (f"{name}-moe", f"{name}-dense")
        assert experts.relative.low < truth / level < experts.relative.high
        own = [each.effect.value for each in findings.moe if each.arm == experts.arm]
        assert experts.effect.value == pytest.approx(sum(own) / 6) and experts.effect.low > 0
    assert ("grouping x experts", "ts") not in means
    more = means["grouping x experts", "cg"]
    assert (more.arm, more.reference) == ("cg-moe", "ts-moe")
    assert more.relative.low < 0.1 / 0.65 - 0.05 / 0.65 - 0.02 / 0.6 < more.relative.high
    assert more.relative.low > 0 and more.effect.low > 0 and len(more.tasks) == 6


# -- patients


def test_images_that_are_all_patients_are_cautioned():
    def told(**change: object) -> list[str]:
        findings = found({TS: (0, SURE), CG: (0.1, SURE)}, **change)
        return [each for each in findings.cautions if "No patient or video is known" in each]

    (caution,) = told(synthetic=False)
    assert "for t0, t1, t2: each image counts as a patient" in caution
    assert not told(synthetic=True)  # each made image is one of its own
    of_patients = analyse(simulated_study(synthetic=False, resamples=50), Output.silent())
    assert not any("No patient" in each for each in of_patients.cautions)
