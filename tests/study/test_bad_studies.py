"""Studies that make no sense are told where and why, and train nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Usmt
from small_studies import INLINE, write_study


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"groups": ["piar"]}, "did you mean 'pair'?"),
        ({"tasks": ["breast_2clss"]}, "did you mean 'breast_2cls'?"),
        ({"tasks": ["breast_2cls"]}, "'breast_2cls' is in the group pair already"),
        ({"groups": ["pair", "breast"]}, "is in two of the study's groups, pair and breast"),
        ({"groups": [], "tasks": []}, "nothing to compare"),
        ({"groups": [], "tasks": ["lung"]}, "cg trains each group, and no group is given"),
        ({"paradigms": ["ts", "lung"]}, "has none of the compared tasks"),
        ({"paradigms": ["ts", "ua"]}, "there is no group 'ua'"),
        ({"paradigms": []}, "paradigms"),
        ({"paradigms": ["au"], "all": "every"}, "all: there is no group 'every'"),
        ({"seeds": [1, 1]}, "seeds: one is there twice"),
        ({"seeds": [-1]}, "seeds[0]"),
        ({"fractions": [0]}, "fractions[0]"),
        ({"fractions": [0.5, 1.5]}, "fractions[1]"),
        ({"moe": "on"}, "moe"),
        ({"budget": {"epochs": 2, "steps": 10}}, "give one of epochs, steps and images"),
        ({"budget": {"hours": 2}}, "budget.hours"),
        ({"learning_rate": {"factors": []}}, "learning_rate.factors"),
        ({"learning_rate": {"factors": [1, 1]}}, "factors: one is there twice"),
        ({"learning_rate": {"sampler": "tpe"}}, "trials: needed for `sampler: tpe`"),
        ({"learning_rate": {"factors": [1e-330]}}, "learning_rate.factors[0]"),
        (
            {
                "learning_rate": {"factors": [900]},
                "settings": {"optimizer": {"learning_rate": {"head": 0.5}}},
            },
            "learning-rate factor 900: ",
        ),
        ({"learning_rate": {"factors": [1, 900], "sampler": "tpe", "trials": 1}}, "trials"),
        ({"statistics": {"confidence": 1.5}}, "statistics.confidence"),
        ({"settings": {"seed": 3}}, "settings.seed: a study decides this for each run: `seeds`"),
        ({"settings": {"moe": {"enabled": "on"}}}, "settings.moe.enabled"),
        ({"settings": {"split": {"fraction": 0.5}}}, "settings.split.fraction"),
        ({"settings": {"epochs": 3}}, "`budget: {epochs: ...}` says it"),
        ({"budget": {"images": 9}, "settings": {"sampler": {"kind": "uniform"}}}, "sampler.kind"),
        ({"settings": {"image_sise": 64}}, "settings.image_sise"),
        ({"settings": [1]}, "settings: found a list of 1, expected a mapping"),
        ({"settings": {"data": {"phantom": {"imagse": 9}}}}, "data.phantom.imagse"),
        ({"settings": {"data": {"fmc": {}}}}, "no plugin gives the dataset 'fmc'"),
        ({"groop": ["pair"]}, "groop"),
        ({"preset": "large"}, "preset"),
    ],
    ids=str,
)
def test_a_mistake_is_told_before_anything_runs(
    keys: dict[str, Any], expected: str, usmt: Usmt, tmp_path: Path
):
    file = write_study(tmp_path, **keys)
    whole = json.loads(file.read_text())
    if isinstance(whole["settings"], dict):
        whole["settings"] = {"specs": [str(tmp_path / "specs")], **whole["settings"]}
    file.write_text(json.dumps(whole, indent=1))
    answer = usmt("study", "run", file, "--out", tmp_path / "out", *INLINE)
    assert answer.code == 1, answer.out
    assert expected in answer.err and "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_the_file_has_a_place(usmt: Usmt, tmp_path: Path):
    file = tmp_path / "s.yaml"
    file.write_text("groups: [breast]\nsettings:\n  optimizer:\n    clip: -1\nseeds: [x]\n")
    answer = usmt("study", "plan", file)
    assert answer.code == 1
    assert f"{file}:4:11: settings.optimizer.clip" in answer.err
    assert f"{file}:5:9: seeds[0]" in answer.err
    file.write_text("groups: [breast]\nsettings:\n  tasks: [lung]\n")
    answer = usmt("study", "plan", file)
    assert answer.code == 1 and f"{file}:3:3: settings.tasks" in answer.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--seeds", "0,a"], "--seeds 0,a: expected numbers with commas between"),
        (["--factors", "1;2"], "--factors 1;2"),
        (["--budget", "epochs"], "--budget epochs: expected KIND=N"),
        (["--budget", "weeks=3"], "budget.weeks"),
        (["--set", "seed=4"], "settings.seed"),
        (["--fractions", "0.5,2"], "fractions[1]"),
        (["--executor", "lokal"], "did you mean 'local'?"),
        (["--executor-set", "cores=2"], "--executor-set cores"),
        (["--jobs", "0"], "--jobs"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_a_mistake_in_the_options_is_told(
    options: list[str], expected: str, usmt: Usmt, tmp_path: Path
):
    answer = usmt("study", "run", "--groups", "breast", "--out", tmp_path / "out", *options)
    assert answer.code == 1, answer.out
    assert expected in answer.err and "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()


def test_nothing_to_compare_by_options(usmt: Usmt):
    answer = usmt("study", "run")
    assert answer.code == 1 and "nothing to compare: give groups, or tasks" in answer.err


@pytest.mark.parametrize("command", ["status", "report"])
def test_what_is_no_study_is_told(command: str, usmt: Usmt, tmp_path: Path):
    for path in (tmp_path / "absent", tmp_path):
        answer = usmt("study", command, path)
        assert answer.code == 1 and "not a study that was begun" in answer.err


def test_another_folder_is_left_alone(usmt: Usmt, tmp_path: Path):
    out = tmp_path / "photos"
    out.mkdir()
    (out / "holiday.jpg").write_bytes(b"sun")
    answer = usmt("study", "run", write_study(tmp_path), "--out", out, *INLINE)
    assert answer.code == 1 and "is not a study" in answer.err
    assert [each.name for each in out.iterdir()] == ["holiday.jpg"]


def test_data_that_lack_a_task_are_told_before_anything_runs(
    usmt: Usmt, realus: Path, tmp_path: Path
):
    answer = usmt(
        *("study", "run", "--groups", "ob", "--data", f"fmc_uia={realus}"),
        *("--out", tmp_path / "out"),
    )
    assert answer.code == 1 and "FUGC" in answer.err and "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()
