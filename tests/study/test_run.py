"""Studies that are run: what they leave, what happens when they are stopped or a run fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Usmt
from small_studies import INLINE, PAIR, events, wait_for, write_study

from usmt.train.run_folder import RunFolder
from usmt.yaml_file import read_yaml

RUNS = [f"{unit}-s{seed}" for unit in (*(f"ts-{t}" for t in PAIR), "cg-pair") for seed in (0, 1)]


def states(usmt: Usmt, study: Path) -> dict[str, str]:
    answer = usmt("study", "status", study, "--json")
    assert answer.code == 0, answer.err
    return {run["id"]: run["state"] for run in answer.data["runs"]}


def settings_of(study: Path, run: str) -> dict[str, Any]:
    return read_yaml(study / "runs" / run / "config.yaml").data


def started(study: Path) -> list[str]:
    return [event["of"] for event in events(study) if event["what"] == "started"]


def run_inline(usmt: Usmt, file: Path, out: Path, *more: object) -> Any:
    return usmt("study", "run", file, "--out", out, *INLINE, *more)


def test_a_study_from_its_file_to_its_report(usmt: Usmt, tmp_path: Path):
    study = tmp_path / "out"
    answer = run_inline(usmt, write_study(tmp_path), study, "--json")
    assert answer.code == 0, answer.err
    assert states(usmt, study) == dict.fromkeys(RUNS, "scored")
    compared = {(c["task"], c["arm"], c["reference"]) for c in answer.data["comparisons"]}
    assert compared == {(task, "cg", "ts") for task in PAIR}
    assert Path(answer.data["report"]).is_file() and len(answer.data["answer"]) == 3

    # Test images are looked at when every run is over, and by each run once.
    what = [(event["what"], event["of"]) for event in events(study)]
    first_test = next(i for i, (_, of) in enumerate(what) if of.endswith("-test"))
    assert sorted(of for what, of in what[:first_test] if what == "ended") == sorted(RUNS)
    assert sorted(started(study)) == sorted([*RUNS, *(f"{run}-test" for run in RUNS)])

    # One frozen split for all; experts as in the paper.
    split = (study / "split-phantom.csv").read_text().splitlines()
    for run in RUNS:
        tasks = settings_of(study, run)["tasks"]
        own = (study / "runs" / run / "split.csv").read_text().splitlines()
        assert own == [split[0], *(row for row in split[1:] if row.split(",")[0] in tasks)]
        assert settings_of(study, run)["moe"]["enabled"] == ("off" if len(tasks) == 1 else "on")
        rows = RunFolder(study / "runs" / run).read_rows("test")
        assert {task for task, _ in rows} == set(tasks)

    # What is finished is not repeated; `run` also takes the folder.
    before = events(study)
    assert usmt("study", "run", study, *INLINE).code == 0
    assert events(study) == before

    # A study stays as it was begun.
    other = run_inline(usmt, tmp_path / "study.yaml", study, "--seeds", "0,1,2")
    assert other.code == 1 and "seeds: [0, 1] there, [0, 1, 2] asked for" in other.err


def test_a_failed_run_does_not_stop_the_others_and_can_be_tried_again(usmt: Usmt, tmp_path: Path):
    study, refuse = tmp_path / "out", tmp_path / "refuse"
    refuse.write_text("ts-breast_2cls-s1 cg-pair-s0-test")
    refused = ("--executor-set", f"refuse={refuse}")
    answer = run_inline(usmt, write_study(tmp_path), study, *refused)
    assert answer.code == 1 and "Traceback" not in answer.err
    assert "2 of the study's jobs failed" in answer.err
    assert "ts-breast_2cls-s1: its machine was on fire" in answer.err
    assert (study / "report" / "index.html").is_file()  # of what there is
    told = states(usmt, study)
    assert told.pop("ts-breast_2cls-s1") == told.pop("cg-pair-s0") == "failed"
    assert set(told.values()) == {"scored"}

    refuse.write_text("")
    again = len(events(study))
    assert usmt("study", "run", study, *INLINE, *refused).code == 0
    assert set(states(usmt, study).values()) == {"scored"}
    assert {event["of"] for event in events(study)[again:]} == {
        *("ts-breast_2cls-s1", "ts-breast_2cls-s1-test"),
        "cg-pair-s0-test",
    }


def test_the_error_of_a_run_is_told_with_its_place(usmt: Usmt, tmp_path: Path):
    study, refuse = tmp_path / "out", tmp_path / "refuse"
    refuse.write_text(" ".join(RUNS))
    refused = ("--executor-set", f"refuse={refuse}")
    answer = run_inline(usmt, write_study(tmp_path), study, *refused)
    assert answer.code == 1 and "6 of the study's jobs failed" in answer.err
    broken = study / "runs" / "cg-pair-s1"
    broken.mkdir()
    answer = usmt("study", "run", study, *INLINE)
    assert answer.code == 1 and "1 of the study's jobs failed" in answer.err
    assert f"cg-pair-s1: {broken}: not a run, it has no config.yaml" in answer.err


def test_the_best_rate_on_validation_is_chosen_once_for_all_seeds(usmt: Usmt, tmp_path: Path):
    study = tmp_path / "out"
    keys = {"paradigms": ["cg"], "learning_rate": {"factors": [0.01, 1, 30]}, "seeds": [3, 4]}
    answer = run_inline(usmt, write_study(tmp_path, **keys), study)
    assert answer.code == 0, answer.err
    reached = {}
    for trial in range(3):
        scores = json.loads((study / "runs" / f"cg-pair-s3-t{trial}" / "scores.json").read_text())
        reached[f"cg-pair-s3-t{trial}"] = scores["selection"]
    (chosen,) = (event for event in events(study) if event["what"] == "chosen")
    assert reached[chosen["run"]] == max(reached.values())
    rates = settings_of(study, "cg-pair-s4")["optimizer"]["learning_rate"]
    assert rates["head"] == pytest.approx(1e-3 * chosen["factor"])
    assert rates == settings_of(study, chosen["run"])["optimizer"]["learning_rate"]
    scored = [run for run, state in states(usmt, study).items() if state == "scored"]
    assert scored == [chosen["run"], "cg-pair-s4"]


def test_every_arm_trains_on_the_same_nested_share_of_the_images(usmt: Usmt, tmp_path: Path):
    study = tmp_path / "out"
    keys = {"fractions": [0.4, 1.0], "seeds": [0], "budget": {"epochs": 1}}
    answer = run_inline(usmt, write_study(tmp_path, **keys), study)
    assert answer.code == 0, answer.err
    images: dict[tuple[str, str], int] = {}
    for unit in ("ts-breast_2cls", "ts-thyroid_nodule_det", "cg-pair"):
        for fraction in ("0.4", "1"):
            scores = study / "runs" / f"{unit}-f{fraction}-s0" / "scores-test.json"
            for task, entry in json.loads(scores.read_text())["tasks"].items():
                assert images.setdefault((task, fraction), entry["training_images"]) > 0
                assert images[task, fraction] == entry["training_images"]
    for task in PAIR:
        assert images[task, "0.4"] == pytest.approx(0.4 * images[task, "1"], abs=1)


def test_a_killed_study_goes_on_where_it_was(usmt: Usmt, tmp_path: Path):
    """Through real processes, and to the last bit what an undisturbed study gives."""
    file = write_study(tmp_path, seeds=[0], budget={"epochs": 20})
    study, calm = tmp_path / "killed", tmp_path / "calm"
    command = [sys.executable, "-m", "usmt", "study", "run", str(file), "--out", str(study)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--jobs", "2"], stdout=log, stderr=log)
        metrics = study / "runs" / "cg-pair-s0" / "metrics.jsonl"
        wait_for(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= 2, process)
        told = states(usmt, study)
        assert told["cg-pair-s0"] == "running"
        busy = usmt("study", "run", study)
        assert busy.code == 1 and "another process is running this study" in busy.err
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert states(usmt, study)["cg-pair-s0"] == "stopped"
    done = metrics.read_bytes().count(b"\n")
    assert 2 <= done < 20

    answer = usmt("study", "run", study, "--jobs", "2")
    assert answer.code == 0, answer.err
    assert set(states(usmt, study).values()) == {"scored"}
    assert "goes on after epoch" in (study / "logs" / "cg-pair-s0.log").read_text()
    assert run_inline(usmt, file, calm).code == 0
    for run in (calm / "runs").iterdir():
        same = study / "runs" / run.name
        assert (run / "rows-test.csv").read_bytes() == (same / "rows-test.csv").read_bytes()


@pytest.mark.parametrize("budget", [{"steps": 6}, {"images": 21}])
def test_equal_steps_or_images_of_a_task(usmt: Usmt, budget: dict[str, int], tmp_path: Path):
    study = tmp_path / "out"
    file = write_study(tmp_path, seeds=[0], budget=budget)
    assert run_inline(usmt, file, study, "--set", "epochs=3").code == 0
    assert usmt("study", "run", study, *INLINE).code == 0  # the study's own file is read back
    steps = {}
    for run in (study / "runs").iterdir():
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        steps[run.name] = last["step"]
    if "steps" in budget:
        assert set(steps.values()) == {6}
    else:  # 7 images an epoch of each task: one batch alone, and one of 14 together
        assert set(steps.values()) == {3}
        losses = settings_of(study, "cg-pair-s0")["sampler"]
        assert losses["kind"] == "uniform" and losses["images_per_epoch"] == 14


def test_what_was_changed_since_the_study_began_is_told(usmt: Usmt, tmp_path: Path):
    study, refuse = tmp_path / "out", tmp_path / "refuse"
    refuse.write_text(" ".join(RUNS))
    refused = ("--executor-set", f"refuse={refuse}")
    assert run_inline(usmt, write_study(tmp_path), study, *refused).code == 1
    for name, old, new in (
        ("study.yaml", b"confidence: 0.95", b"confidence: 0.5001"),
        ("split-phantom.csv", b",test,", b",train,"),
    ):
        whole = (study / name).read_bytes()
        assert old in whole
        (study / name).write_bytes(whole.replace(old, new))
        for command in (("run", study, *INLINE), ("status", study), ("report", study)):
            answer = usmt("study", *command)
            assert answer.code == 1 and "changed since the study began" in answer.err
            assert name in answer.err
        (study / name).write_bytes(whole)
    assert usmt("study", "status", study).code == 0
    group = tmp_path / "specs" / "groups" / "pair.yaml"
    group.write_text(group.read_text().replace("thyroid_nodule_det", "lung_2cls"))
    answer = usmt("study", "status", study)
    assert answer.code == 1 and "the list of tasks of a group" in answer.err


def test_a_job_on_its_own(usmt: Usmt, tmp_path: Path):
    """What another scheduler would be given; and test images are not for a run in progress."""
    study, refuse = tmp_path / "out", tmp_path / "refuse"
    refuse.write_text(" ".join(RUNS))
    run_inline(usmt, write_study(tmp_path), study, "--executor-set", f"refuse={refuse}")
    early = usmt("study", "job", study, "ts-breast_2cls-s0-test")
    assert early.code == 1 and "not finished, so that it cannot be scored" in early.err
    for _ in range(2):
        assert usmt("study", "job", study, "ts-breast_2cls-s0").code == 0
    assert (study / "runs" / "ts-breast_2cls-s0" / "scores.json").is_file()
    assert not (study / "runs" / "ts-breast_2cls-s0" / "scores-test.json").exists()
    answer = usmt("study", "job", study, "ts-breast-s0")
    assert answer.code == 1 and "there is no such file" in answer.err
