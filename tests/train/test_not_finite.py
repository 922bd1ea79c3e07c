"""A loss that is not finite is told with its images, left out, and ends a run that cannot go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from command_line import Usmt
from safetensors.torch import load_file
from small_runs import QUICK, tasks

from usmt_classification import ClassificationTaskType

TASKS = tasks("fetal_plane_cls", "fetal_femur")


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch):
    """`spoil(steps)`: the first row's classification loss is NaN in those calls, or always."""

    def spoil(calls: set[int] | None) -> None:
        whole = ClassificationTaskType.loss
        count = 0

        def loss(self, spec, prediction, target):
            nonlocal count
            rows = whole(self, spec, prediction, target)
            if calls is None or count in calls:
                rows = torch.cat([rows[:1] * float("nan"), rows[1:]])
            count += 1
            return rows

        monkeypatch.setattr(ClassificationTaskType, "loss", loss)

    return spoil


def test_a_step_is_left_out_and_its_images_are_named(usmt: Usmt, tmp_path: Path, spoil):
    spoil({1})
    out = tmp_path / "run"
    outcome = usmt("train", *TASKS, *QUICK, "--set", "epochs=1", "--out", out)
    assert outcome.code == 0
    (line,) = [line for line in outcome.err.splitlines() if "not finite" in line]
    assert "step 1: the loss is not finite (fetal_plane_cls fetal_plane_cls/0" in line
    weights = load_file(out / "last" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    (entry,) = [json.loads(text) for text in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(loss > 0 for loss in entry["loss"].values())


def test_a_few_in_a_row_end_the_run(usmt: Usmt, tmp_path: Path, spoil):
    spoil(None)
    out = tmp_path / "run"
    outcome = usmt("train", *TASKS, *QUICK, "--set", "batch_size=4", "--out", out)
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert "5 steps in a row were left out" in outcome.err
    assert "fetal_plane_cls fetal_plane_cls/0" in outcome.err
    assert not (out / "best").exists()
