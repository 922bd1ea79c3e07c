"""What a study will do: arms, runs, what they share, and how long each trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Usmt
from small_studies import PAIR, write_study

from usmt import load_catalogue, load_plugins
from usmt.study.load_study import load_study
from usmt.study.plan import Plan, make_plan


def planned(folder: Path, **keys: Any) -> Plan:
    study = load_study(write_study(folder, **keys), {}, [])
    return make_plan(study, load_catalogue(load_plugins(), study.settings.specs))


def test_as_in_the_paper_experts_are_off_alone_and_on_together(tmp_path: Path):
    plan = planned(tmp_path, paradigms=["ts", "cg", "au"], all="breast", tasks=["lung_2cls"])
    assert plan.reference == "ts"
    assert {unit.name: unit.moe for unit in plan.units} == {
        "ts-breast_2cls": False,
        "ts-thyroid_nodule_det": False,
        "ts-lung_2cls": False,
        "cg-pair": True,
        "au": True,
    }
    assert len(plan.runs) == 10


def test_arms_that_train_the_same_share_their_runs(tmp_path: Path):
    plan = planned(tmp_path, paradigms=["ts", "cg", "au", "pair"], all="pair")
    assert [unit.arms for unit in plan.units] == [("ts",), ("ts",), ("cg", "au", "pair")]
    assert len(plan.runs) == 6


def test_a_group_of_one_task_is_trained_as_the_task_alone(tmp_path: Path):
    file = write_study(tmp_path, groups=["single"])
    (tmp_path / "specs" / "groups" / "single.yaml").write_text(
        '{"id": "single", "title": "One", "tasks": ["lung_2cls"]}'
    )
    study = load_study(file, {}, [])
    plan = make_plan(study, load_catalogue(load_plugins(), study.settings.specs))
    assert [unit.arms for unit in plan.units] == [("ts", "cg")]


def test_grouping_is_crossed_with_experts(tmp_path: Path):
    plan = planned(tmp_path, moe="both")
    assert [arm.name for arm in plan.arms] == ["ts-dense", "ts-moe", "cg-dense", "cg-moe"]
    assert plan.reference == "ts-dense"
    assert len(plan.units) == 6 and sum(unit.moe for unit in plan.units) == 3


def test_the_first_seed_searches_and_the_others_take_what_it_chose(tmp_path: Path):
    plan = planned(tmp_path, seeds=[5, 6], learning_rate={"factors": [0.1, 1, 10]})
    runs = plan.runs_of(plan.units[0])
    assert [(run.seed, run.trial, run.factor) for run in runs] == [
        (5, 0, 0.1),
        (5, 1, 1.0),
        (5, 2, 10.0),
        (6, None, None),
    ]
    assert len({run.id for run in plan.runs}) == len(plan.runs) == 12


@pytest.mark.parametrize(
    ("budget", "alone", "together"),
    [
        ({"epochs": 5}, (5, None), (5, None)),
        ({"steps": 40}, (8, 5 * 16), (8, 5 * 16)),
        ({"images": 240}, (8, 30), (8, 60)),
    ],
)
def test_a_budget_is_passes_or_equal_steps_or_equal_images_of_a_task(
    budget: dict[str, int], alone: tuple[int, Any], together: tuple[int, Any], tmp_path: Path
):
    keys = {"budget": budget}
    if "epochs" not in budget:
        keys["settings"] = {"epochs": 8}
    study = load_study(write_study(tmp_path, **keys), {}, [])
    for tasks, expected in (([PAIR[0]], alone), (list(PAIR), together)):
        chosen = study.run_settings(
            tasks, seed=3, moe=True, fraction=0.5, factor=2.0, splits={"phantom": Path("s.csv")}
        )
        assert (chosen.epochs, chosen.sampler.images_per_epoch) == expected
        assert chosen.sampler.kind == ("uniform" if "images" in budget else "proportional")
        assert chosen.seed == 3 and chosen.split.fraction == 0.5 and chosen.moe.enabled == "on"
        assert chosen.split.files == {"phantom": Path("s.csv")}
        rates = study.settings.optimizer.learning_rate
        assert chosen.optimizer.learning_rate.head == 2 * rates.head


def test_a_plan_is_told_and_measured(usmt: Usmt, tmp_path: Path):
    answer = usmt("study", "plan", write_study(tmp_path), "--jobs", 2, "--json")
    assert answer.code == 0, answer.err
    runs = answer.data["runs"]
    assert [run["id"] for run in runs][-2:] == ["cg-pair-s0", "cg-pair-s1"]
    alone, together = runs[0], runs[-1]
    # 24 images: 15 train in 2 epochs of one batch of at most 16; two tasks' 30 in two.
    assert alone["steps"] == 2 and together["steps"] == 4
    assert together["parameters"] > alone["parameters"] > 5_000_000
    assert together["memory_mb"] > 300
    assert all(run["seconds"] > 0 for run in runs)
    assert answer.data["wall_seconds"] == pytest.approx(answer.data["seconds"] / 2)
    assert not (tmp_path / "studies").exists() and not Path("studies").exists()


def test_a_plan_for_people_names_every_run(usmt: Usmt, tmp_path: Path):
    answer = usmt("study", "plan", write_study(tmp_path), "--no-measure", "--seeds", "7")
    assert answer.code == 0, answer.err
    assert "ts-breast_2cls-s7" in answer.out and "cg-pair-s7" in answer.out
    assert "3 runs of 3 networks" in answer.out and "ts (reference)" in answer.out
