"""Two processes train as one does: the same images, the same losses, the same scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_runs import FOUR_TYPES, QUICK, tasks

from usmt.train.run_folder import RunFolder

COMMON = ("train", *tasks(*FOUR_TYPES), *QUICK, "--set", "epochs=2", "--set", "batch_size=8")


def launch(out: Path, processes: int, *options: str) -> list[dict]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "-m", "usmt", *COMMON, "--out", str(out), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_loss_that_is_not_finite_in_one_process_is_told_and_left_out(tmp_path: Path):
    """In the last piece of a batch, in the process that does not speak."""
    spoiled = tmp_path / "spoiled.py"
    spoiled.write_text(
        "import os, sys, torch\n"
        "from usmt_regression import RegressionTaskType as Kind\n"
        "whole, calls = Kind.loss, [0]\n"
        "def loss(self, spec, prediction, target):\n"
        "    rows = whole(self, spec, prediction, target)\n"
        "    calls[0] += 1\n"
        "    bad = os.environ['RANK'] == '1' and calls[0] == 4\n"
        "    return rows * float('nan') if bad else rows\n"
        "Kind.loss = loss\n"
        "from usmt.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", str(spoiled), "train", *tasks("fetal_femur"), *QUICK]
    command += ["--set=epochs=2", "--set=batch_size=6", "--set=accumulate=2"]
    command += ["--json", "--out", str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stderr.splitlines() if "not finite" in line]
    assert "step 1: the loss is not finite (fetal_femur fetal_femur/0" in line
    assert json.loads(done.stdout)["tasks"].keys() == {"fetal_femur"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[Path, list[dict]]:
    out = tmp_path_factory.mktemp("one") / "run"
    return out, launch(out, 1)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_equal_one(alone, tmp_path: Path, accumulate: int):
    """With rows of a task in one process only, in both, or in none, and with pieces."""
    folder, one = alone
    two = launch(tmp_path / "two", 2, "--set", f"accumulate={accumulate}")
    for first, second in zip(one, two, strict=True):
        assert first["step"] == second["step"]
        for task in FOUR_TYPES:
            assert second["loss"][task] == pytest.approx(first["loss"][task], abs=1e-4)
        assert second["scores"].keys() == first["scores"].keys()
    weights = load_file(folder / "last" / "model.safetensors")
    others = load_file(tmp_path / "two" / "last" / "model.safetensors")
    for name, tensor in weights.items():
        assert torch.allclose(tensor, others[name], atol=2e-3), name
    ours, theirs = RunFolder(folder).read_rows(), RunFolder(tmp_path / "two").read_rows()
    assert {name: (its.keys, its.sources, its.rows.shape) for name, its in ours.items()} == {
        name: (its.keys, its.sources, its.rows.shape) for name, its in theirs.items()
    }
    scores = json.loads((folder / "scores.json").read_text())["tasks"]
    joined = json.loads((tmp_path / "two" / "scores.json").read_text())["tasks"]
    assert {t: e["images"] for t, e in joined.items()} == {
        t: e["images"] for t, e in scores.items()
    }
    assert (tmp_path / "two" / "scores.csv").read_text().count("\n") == (
        folder / "scores.csv"
    ).read_text().count("\n")
    first_block = one[0]["routing"]["share"]["block 12"]
    assert two[0]["routing"]["share"]["block 12"] == [
        pytest.approx(row, abs=1e-2) for row in first_block
    ]
