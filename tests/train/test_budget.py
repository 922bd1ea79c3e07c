"""Runs on a share of the training images, and of a number of images an epoch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from command_line import Usmt
from small_runs import QUICK, tasks, weights

TASKS = ("fetal_head", "fetal_plane_cls")
SHARE = (*tasks(*TASKS), *QUICK, "--set", "split.fraction=0.5", "--set", "epochs=2")


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Path:
    """A run of two epochs on half of the training images."""
    from usmt.cli.main import main

    out = tmp_path_factory.mktemp("half") / "run"
    assert main(["train", *SHARE, "--out", str(out)]) == 0
    return out


def test_the_audit_tells_what_is_trained_on(usmt: Usmt):
    def answer(*options: str):
        return usmt("train", *SHARE, *options, "--dry-run", "--json")

    whole = answer("--set", "split.fraction=1.0")
    some = answer()
    images = [[task["images"] for task in one.data["audit"]["tasks"]] for one in (whole, some)]
    assert "split.fraction" not in whole.err
    assert f"{sum(images[1])} of {sum(images[0])} training records are trained on" in some.err
    for all_of, used in zip(*images, strict=True):
        assert abs(used - all_of / 2) <= 2
    assert some.data["audit"]["steps"] < whole.data["audit"]["steps"]


def test_the_run_keeps_the_whole_split_and_the_share(half: Path):
    (data,) = json.loads((half / "data.json").read_text()).values()
    assert data["fraction"] == 0.5
    with (half / "split.csv").open(newline="") as file:
        assert data["records"] == len(list(csv.DictReader(file))) == 40


def test_a_run_on_a_share_can_be_scored_and_repeated(usmt: Usmt, half: Path, tmp_path: Path):
    outcome = usmt("evaluate", half, "--split", "test", "--json")
    assert outcome.code == 0, outcome.err
    assert "training records are trained on" in outcome.err
    out = tmp_path / "again"
    assert usmt("train", "--config", half / "config.yaml", "--out", out).code == 0
    assert weights(out) == weights(half)


def test_a_run_on_a_share_is_resumed_on_the_same_images(usmt: Usmt, half: Path, tmp_path: Path):
    from usmt.train import loop

    out = tmp_path / "run"

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        trained = loop.train_epoch
        patch.setattr(
            loop, "train_epoch", lambda run, bar: stop() if run.epoch else trained(run, bar)
        )
        assert usmt("train", *SHARE, "--out", out).code != 0
    outcome = usmt("train", "--resume", out)
    assert outcome.code == 0 and "goes on after epoch 1 of 2" in outcome.err
    assert weights(out) == weights(half)


@pytest.mark.parametrize("value", ["0", "-0.1", "1.01", "nan", "half"])
def test_a_share_that_is_none_is_refused(usmt: Usmt, value: str):
    outcome = usmt("train", *tasks(*TASKS), *QUICK, "--set", f"split.fraction={value}")
    assert outcome.code == 1 and "split.fraction" in outcome.err


# -- images an epoch


def budget(usmt: Usmt, *changes: str):
    parts = [part for change in changes for part in ("--set", change)]
    return usmt("train", *tasks(*TASKS), *QUICK, *parts, "--dry-run", "--json")


def test_an_epoch_of_a_given_number_of_images(usmt: Usmt):
    audit = budget(usmt, "sampler.images_per_epoch=40", "batch_size=10").data["audit"]
    assert audit["steps"] == 4
    assert sum(task["drawn"] for task in audit["tasks"]) == 40
    audit = budget(usmt, "sampler.images_per_epoch=40", "sampler.kind=uniform").data["audit"]
    assert [task["drawn"] for task in audit["tasks"]] == [20, 20]


def test_images_that_are_never_seen_are_told(usmt: Usmt):
    shown = usmt("train", *tasks(*TASKS), *QUICK, "--set", "epochs=2", "--dry-run")
    assert "every training image is seen within 1 epoch(s)" in shown.err
    options = ("--set", "epochs=2", "--set", "sampler.images_per_epoch=4")
    shown = usmt("train", *tasks(*TASKS), *QUICK, *options, "--dry-run")
    assert "every training image is seen" not in shown.err
    assert "2 epoch(s) never show" in shown.err
    audit = budget(usmt, "epochs=2", "sampler.images_per_epoch=4").data["audit"]
    for task in audit["tasks"]:
        assert task["unseen"] == task["images"] - 2 * task["drawn"] > 0


def test_fewer_images_than_tasks_are_refused(usmt: Usmt):
    outcome = budget(usmt, "sampler.images_per_epoch=1")
    assert outcome.code == 1
    assert "sampler.images_per_epoch: 1 images cannot be of 2 tasks" in outcome.err
